// Vulkan handle types by name only, so that headers of this folder can be included without volk. Nobody outside
// engine/gpu calls Vulkan; these pointers are for members and for passing through.
#pragma once

#include <cstdint>

static_assert(sizeof(void*) == 8, "non-dispatchable handles are pointers only on 64-bit platforms");

using VkInstance = struct VkInstance_T*;
using VkPhysicalDevice = struct VkPhysicalDevice_T*;
using VkDevice = struct VkDevice_T*;
using VkQueue = struct VkQueue_T*;
using VkCommandBuffer = struct VkCommandBuffer_T*;
using VkBuffer = struct VkBuffer_T*;
using VkDeviceMemory = struct VkDeviceMemory_T*;
using VkPipeline = struct VkPipeline_T*;
using VkPipelineLayout = struct VkPipelineLayout_T*;
using VkPipelineCache = struct VkPipelineCache_T*;
using VkDescriptorSetLayout = struct VkDescriptorSetLayout_T*;
using VkDescriptorSet = struct VkDescriptorSet_T*;
using VkDescriptorPool = struct VkDescriptorPool_T*;
using VkCommandPool = struct VkCommandPool_T*;
using VkQueryPool = struct VkQueryPool_T*;
using VkSemaphore = struct VkSemaphore_T*;
using VkDebugUtilsMessengerEXT = struct VkDebugUtilsMessengerEXT_T*;

namespace vkinfer::gpu {

/// A 64-bit address that shaders can dereference (buffer_reference); 0 where the device has no such feature.
using DeviceAddress = uint64_t;

struct DeviceCore;   // everything below Device that other objects need; device_core.h
struct InstanceCore; // instance_core.h

} // namespace vkinfer::gpu
