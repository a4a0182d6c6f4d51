// Pipelines by what makes them differ, created on first use and kept: plans of several shapes share most of them.
#pragma once

#include "gpu/pipeline.h"
#include "kernels/dispatch.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

namespace vkinfer::gpu {
class Device;
}

namespace vkinfer::kernels {

/// Not thread-safe. The pipelines live as long as the store.
class PipelineStore {
public:
    explicit PipelineStore(gpu::Device& device) : device_(device) {}

    /// The pipeline a dispatch runs on; compiles it when it is new. Throws Error.
    const gpu::Pipeline& get(const Dispatch& dispatch);

    /// Every pipeline so far, with a name that tells variant and constants apart.
    void
    for_each(const std::function<void(const std::string& name, const ShaderInfo&, const gpu::Pipeline&)>& visit) const;

private:
    using Key = std::tuple<const ShaderInfo*, std::vector<uint32_t>, uint32_t>;

    gpu::Device& device_;
    std::map<Key, std::unique_ptr<gpu::Pipeline>> pipelines_;
};

} // namespace vkinfer::kernels
