// Codebooks of weight types in device memory: kernels reach them by the address in Weight::table.
#pragma once

#include "format/tensor_type.h"
#include "gpu/buffer.h"

#include <cstdint>
#include <vector>

namespace vkinfer::gpu {
class Device;
}

namespace vkinfer::kernels {

/// Uploads the codebook of a type when it is first asked for and keeps it: a few KiB each. Not thread-safe.
class Codebooks {
public:
    /// Device address, or 0 for a type without codebook. Valid as long as this object; always ask for the same device.
    uint64_t address(gpu::Device& device, format::TensorType type);

private:
    struct Entry {
        const uint32_t* words; ///< types that share a codebook share its copy
        gpu::Buffer buffer;
    };

    std::vector<Entry> entries_;
};

} // namespace vkinfer::kernels
