// The shared part of a Pipeline: command lists hold it too. Internal to engine/gpu.
#pragma once

#include "gpu/device_core.h"

#include <string>

namespace vkinfer::gpu {

struct PipelineObject {
    explicit PipelineObject(DeviceCore& owner) : core(owner) { ++core.n_live_objects; }
    ~PipelineObject();
    PipelineObject(const PipelineObject&) = delete;
    PipelineObject& operator=(const PipelineObject&) = delete;

    DeviceCore& core;
    VkPipeline pipeline = VK_NULL_HANDLE;
    VkPipelineLayout layout = VK_NULL_HANDLE; ///< owned by the device's LayoutCache, as is set_layout
    VkDescriptorSetLayout set_layout = VK_NULL_HANDLE;
    std::string name;
    uint32_t n_bindings = 0;
    uint32_t push_bytes = 0;
    uint32_t subgroup_size = 0;
    bool has_statistics = false;
    double compile_ms = 0;
};

} // namespace vkinfer::gpu
