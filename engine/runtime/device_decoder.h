// Decodes blocks of one tensor type with the kernels that models run on: repacked on the device, then dequantised
// there. For checks against other implementations (vkinfer dequant --on gpu); models never make float32 of their
// weights.
#pragma once

#include "base/log.h"
#include "format/tensor_type.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace vkinfer::runtime {

class DeviceDecoder {
public:
    /// `device` as in RunnerOptions. Throws Error{unsupported} for types without kernels.
    DeviceDecoder(const std::string& device, const format::TypeTraits& type, const Log& log);
    ~DeviceDecoder();

    /// Decodes whole blocks; `values` has room for all their elements. Returns when the values are there.
    void decode(std::span<const std::byte> blocks, std::span<float> values);

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace vkinfer::runtime
