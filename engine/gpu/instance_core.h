// What Instance and the devices made from it share. Internal to engine/gpu.
#pragma once

#include "base/log.h"
#include "gpu/device_info.h"
#include "gpu/vk_check.h"

#include <atomic>
#include <vector>

namespace vkinfer::gpu {

struct InstanceCore {
    InstanceCore() = default;
    ~InstanceCore();
    InstanceCore(const InstanceCore&) = delete;
    InstanceCore& operator=(const InstanceCore&) = delete;

    Log log;
    bool validation = false;
    bool debug_utils = false;
    VkInstance instance = VK_NULL_HANDLE;
    VkDebugUtilsMessengerEXT messenger = VK_NULL_HANDLE;
    std::atomic<uint32_t> validation_messages = 0;
    std::vector<DeviceInfo> devices;
    std::vector<VkPhysicalDevice> physical_devices; ///< same order as `devices`
};

} // namespace vkinfer::gpu
