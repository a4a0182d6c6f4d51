#include "gpu/vk_check.h"

#include "base/error.h"

#include <format>

namespace vkinfer::gpu {

const char* result_name(VkResult result) {
    switch (result) {
#define VKINFER_CASE(name)                                                                                             \
    case name:                                                                                                         \
        return #name
        VKINFER_CASE(VK_SUCCESS);
        VKINFER_CASE(VK_NOT_READY);
        VKINFER_CASE(VK_TIMEOUT);
        VKINFER_CASE(VK_INCOMPLETE);
        VKINFER_CASE(VK_ERROR_OUT_OF_HOST_MEMORY);
        VKINFER_CASE(VK_ERROR_OUT_OF_DEVICE_MEMORY);
        VKINFER_CASE(VK_ERROR_INITIALIZATION_FAILED);
        VKINFER_CASE(VK_ERROR_DEVICE_LOST);
        VKINFER_CASE(VK_ERROR_MEMORY_MAP_FAILED);
        VKINFER_CASE(VK_ERROR_LAYER_NOT_PRESENT);
        VKINFER_CASE(VK_ERROR_EXTENSION_NOT_PRESENT);
        VKINFER_CASE(VK_ERROR_FEATURE_NOT_PRESENT);
        VKINFER_CASE(VK_ERROR_INCOMPATIBLE_DRIVER);
        VKINFER_CASE(VK_ERROR_TOO_MANY_OBJECTS);
        VKINFER_CASE(VK_ERROR_FORMAT_NOT_SUPPORTED);
        VKINFER_CASE(VK_ERROR_FRAGMENTED_POOL);
        VKINFER_CASE(VK_ERROR_UNKNOWN);
        VKINFER_CASE(VK_ERROR_OUT_OF_POOL_MEMORY);
        VKINFER_CASE(VK_ERROR_INVALID_EXTERNAL_HANDLE);
        VKINFER_CASE(VK_ERROR_FRAGMENTATION);
        VKINFER_CASE(VK_ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS);
        VKINFER_CASE(VK_PIPELINE_COMPILE_REQUIRED);
        VKINFER_CASE(VK_ERROR_INVALID_SHADER_NV);
#undef VKINFER_CASE
    default:
        return "unknown VkResult";
    }
}

void throw_vk_error(VkResult result, const char* call, const std::string& detail) {
    std::string message = std::format("{} failed with {} ({})", call, result_name(result), static_cast<int>(result));
    if (!detail.empty()) message += ": " + detail;
    switch (result) {
    case VK_ERROR_DEVICE_LOST:
        throw Error(ErrorKind::device_lost, std::move(message),
                    "The GPU was reset, or a submission ran past the driver's time limit. Restart the program; the "
                    "kernel log (dmesg) names the cause.");
    case VK_ERROR_OUT_OF_HOST_MEMORY:
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_MEMORY_MAP_FAILED:
        throw Error(ErrorKind::out_of_memory, std::move(message),
                    "Use a smaller context or model, or free memory on the device.");
    case VK_ERROR_LAYER_NOT_PRESENT:
    case VK_ERROR_EXTENSION_NOT_PRESENT:
    case VK_ERROR_FEATURE_NOT_PRESENT:
    case VK_ERROR_INCOMPATIBLE_DRIVER:
        throw Error(ErrorKind::unsupported, std::move(message), "Update the Vulkan driver.");
    default:
        throw Error(ErrorKind::internal, std::move(message));
    }
}

} // namespace vkinfer::gpu
