// What buffers, pipelines and command lists need of their Device. Internal to engine/gpu.
#pragma once

#include "gpu/allocator.h"
#include "gpu/device.h"
#include "gpu/instance_core.h"
#include "gpu/pipeline_cache.h"
#include "gpu/timeline.h"
#include "gpu/vk_check.h"

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>

namespace vkinfer::gpu {

/// Layouts by number of storage buffers and push size: pipelines that agree in both share one, so bound descriptor sets
/// survive a change of pipeline.
class LayoutCache {
public:
    LayoutCache(VkDevice device, const VolkDeviceTable& vk) : device_(device), vk_(vk) {}
    ~LayoutCache();
    LayoutCache(const LayoutCache&) = delete;
    LayoutCache& operator=(const LayoutCache&) = delete;

    VkDescriptorSetLayout set_layout(uint32_t n_bindings);
    VkPipelineLayout pipeline_layout(uint32_t n_bindings, uint32_t push_bytes);

private:
    VkDescriptorSetLayout set_layout_locked(uint32_t n_bindings);

    VkDevice device_;
    const VolkDeviceTable& vk_;
    std::mutex mutex_;
    std::map<uint32_t, VkDescriptorSetLayout> set_layouts_;
    std::map<std::pair<uint32_t, uint32_t>, VkPipelineLayout> pipeline_layouts_;
};

struct DeviceCore {
    DeviceCore() = default;
    ~DeviceCore();
    DeviceCore(const DeviceCore&) = delete;
    DeviceCore& operator=(const DeviceCore&) = delete;

    /// Gives a Vulkan object a name in captures and validation messages; does nothing without VK_EXT_debug_utils.
    void set_name(VkObjectType type, uint64_t handle, std::string_view name) const;

    std::shared_ptr<InstanceCore> instance; ///< shared: the instance must outlive its devices
    Log log;
    DeviceInfo info;
    DeviceOptions options;
    Capabilities capabilities;
    VkPhysicalDevice physical = VK_NULL_HANDLE;
    uint32_t queue_family = 0;
    uint32_t copy_family = 0; ///< the same when copies have no family of their own
    VkDevice device = VK_NULL_HANDLE;
    VolkDeviceTable vk{};
    std::atomic<uint64_t> n_live_objects = 0; ///< buffers, pipelines, command lists; must be 0 at the end
    std::unique_ptr<Timeline> timeline;
    std::unique_ptr<Timeline> copy_timeline; ///< null: copies go to the compute queue
    std::unique_ptr<Allocator> allocator;
    std::unique_ptr<LayoutCache> layouts;
    std::unique_ptr<PipelineCache> pipeline_cache;
};

} // namespace vkinfer::gpu
