// Reads a physical device into Capabilities and builds the matching chain of features to enable: one place decides
// both, so nothing is used that was not enabled. Internal to engine/gpu.
#pragma once

#include "gpu/capabilities.h"
#include "gpu/vk_check.h"

#include <memory>
#include <vector>

namespace vkinfer::gpu {

struct ProbeOptions {
    bool robust_buffer_access = false;
    bool cooperative_matrix = true;
};

/// Feature structs linked to one chain. Not movable: the structs point at each other.
struct FeatureChain {
    VkPhysicalDeviceFeatures2 core{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    VkPhysicalDeviceVulkan11Features v11{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES};
    VkPhysicalDeviceVulkan12Features v12{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
    VkPhysicalDeviceVulkan13Features v13{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES};
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR coopmat{
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR};
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executable{
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR};
    VkPhysicalDeviceWorkgroupMemoryExplicitLayoutFeaturesKHR explicit_layout{
        VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_WORKGROUP_MEMORY_EXPLICIT_LAYOUT_FEATURES_KHR};
};

struct Probe {
    Capabilities capabilities;
    std::unique_ptr<FeatureChain> features; ///< to be passed as VkDeviceCreateInfo::pNext
    std::vector<const char*> extensions;
    uint32_t queue_family = 0;
};

/// `queue_family` is decided by the caller because it is a user's choice; timestamps depend on it.
Probe probe_device(VkPhysicalDevice physical, uint32_t queue_family, const ProbeOptions& options);

} // namespace vkinfer::gpu
