// A compute pipeline made from SPIR-V words.
#pragma once

#include "gpu/handles.h"
#include "gpu/pipeline_stats.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace vkinfer::gpu {

class Device;
struct PipelineObject;

struct PipelineDesc {
    std::string name;
    std::span<const uint32_t> spirv;          ///< entry point "main"; needed only during construction
    std::span<const uint32_t> specialization; ///< 32-bit values; the index is the constant_id
    uint32_t push_bytes = 0;                  ///< multiple of 4
    uint32_t n_bindings = 0;                  ///< storage buffers, set 0, bindings 0 .. n_bindings - 1
    uint32_t subgroup_size = 0;               ///< required size; 0 = the driver's choice
    bool full_subgroups = false;              ///< every subgroup is full; local size x must be a multiple of its size
    bool capture_statistics = false;          ///< keep statistics and texts for stats(); such a pipeline is not cached
};

/// Move-only. Dropping it early is safe, as with Buffer. Must not outlive its Device.
class Pipeline {
public:
    Pipeline() = default;
    /// Throws Error{unsupported} when the device cannot do what `desc` asks, and what vkCreateComputePipelines says.
    Pipeline(Device& device, const PipelineDesc& desc);
    ~Pipeline() = default;
    Pipeline(Pipeline&&) noexcept = default;
    Pipeline& operator=(Pipeline&&) noexcept = default;
    Pipeline(const Pipeline&) = delete;
    Pipeline& operator=(const Pipeline&) = delete;

    explicit operator bool() const { return object_ != nullptr; }
    const std::string& name() const;
    uint32_t n_bindings() const;
    uint32_t push_bytes() const;
    /// The required size, else the device's default one.
    uint32_t subgroup_size() const;
    /// Time that the driver took to create it.
    double compile_ms() const;

    /// Throws Error{unsupported} when neither this pipeline nor its device was made with capture_statistics, or the
    /// device has no executable properties.
    PipelineStats stats() const;

private:
    friend class CommandList;
    std::shared_ptr<PipelineObject> object_;
};

} // namespace vkinfer::gpu
