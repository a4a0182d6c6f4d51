// The one place where Vulkan results become errors, in release builds too. Internal to engine/gpu.
#pragma once

#include <volk.h>

#include <string>

namespace vkinfer::gpu {

/// "VK_ERROR_DEVICE_LOST" and so on.
const char* result_name(VkResult result);

/// Throws Error: device_lost and out_of_memory as kinds of their own, all else as internal or unsupported.
[[noreturn]] void throw_vk_error(VkResult result, const char* call, const std::string& detail);

/// Throws unless `result` is a success code. `detail` may be a callable that returns a string with the sizes of what
/// was asked for; it runs only on failure.
inline VkResult vk_check(VkResult result, const char* call) {
    if (result < 0) [[unlikely]]
        throw_vk_error(result, call, {});
    return result;
}
template<class Detail>
VkResult vk_check(VkResult result, const char* call, Detail&& detail) {
    if (result < 0) [[unlikely]]
        throw_vk_error(result, call, detail());
    return result;
}

} // namespace vkinfer::gpu
