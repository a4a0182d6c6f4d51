// Who a device is, and how a user names one. No Vulkan in here, so that choices can be tested on invented lists.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace vkinfer::gpu {

/// In the order of preference.
enum class DeviceType : uint8_t { discrete, integrated, virtual_gpu, cpu, other };

const char* to_string(DeviceType type);

struct DeviceInfo {
    uint32_t index = 0; ///< place in the sorted list; what `--device 0` means
    std::string name;
    DeviceType type = DeviceType::other;
    std::array<uint8_t, 16> uuid{};
    std::string driver_name; ///< "radv"
    std::string driver_info; ///< "Mesa 26.1.6"
    uint32_t driver_id = 0;  ///< VkDriverId
    uint32_t vendor_id = 0;
    uint32_t device_id = 0;
    uint32_t api_version = 0;
    uint32_t driver_version = 0;
    std::string pci_address; ///< "0000:c5:00.0", as sysfs names it; empty when the driver does not say

    /// "1.4.309"
    std::string api_version_text() const;
    /// "00000000-0400-0000-0000-000000000000"
    std::string uuid_text() const;
    /// Whether the device offers what this engine needs at least (Vulkan 1.3).
    bool is_usable() const;
};

/// Smallest Vulkan version that the engine runs on, as VK_MAKE_API_VERSION.
inline constexpr uint32_t kMinApiVersion = (1u << 22) | (3u << 12);

/// One line per device, for messages and the `devices` command.
std::string describe(std::span<const DeviceInfo> devices);

/// Finds the device that `selector` names: empty = the first usable one, else an index, a UUID (32 hex digits, dashes
/// optional) or a part of the name without regard to case that fits one device only. Returns the position in `devices`;
/// throws Error that lists what exists.
size_t select_device(std::span<const DeviceInfo> devices, std::string_view selector);

} // namespace vkinfer::gpu
