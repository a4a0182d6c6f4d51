// A device profile: everything that decides where memory goes, as a plain value. Made from a device, or read from a
// file that `vkinfer devices --json` wrote on another machine.
#pragma once

#include "gpu/capabilities.h"
#include "gpu/device_info.h"
#include "gpu/memory.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::gpu {
class Device;
}

namespace vkinfer::memory {

/// What the kernel says of memory, from /proc and sysfs. Nothing where it does not say.
struct SystemMemory {
    std::optional<uint64_t> total_bytes;     ///< MemTotal
    std::optional<uint64_t> available_bytes; ///< MemAvailable
    // amdgpu's mem_info_* files of the device.
    std::optional<uint64_t> vram_total_bytes; ///< on an APU the carve-out of the firmware
    std::optional<uint64_t> vram_used_bytes;
    std::optional<uint64_t> visible_vram_total_bytes;
    std::optional<uint64_t> gtt_total_bytes; ///< system memory that the GPU may map at once
    std::optional<uint64_t> gtt_used_bytes;
    std::optional<int64_t> amdgpu_gttsize_mib; ///< module parameter; -1: the kernel's default
    std::optional<uint64_t> ttm_pages_limit;   ///< module parameter, in pages of 4 KiB
    std::string kernel;                        ///< "6.16.3"
    std::string command_line;                  ///< only what concerns memory of the GPU

    bool operator==(const SystemMemory&) const = default;
};

struct DeviceProfile {
    gpu::DeviceInfo info;
    gpu::Capabilities capabilities;
    std::vector<gpu::HeapInfo> heaps;
    std::vector<gpu::MemoryTypeInfo> types;
    SystemMemory system;

    bool is_unified() const { return capabilities.unified_memory; }
};

/// The device as it is now.
DeviceProfile profile_of(gpu::Device& device);

/// Reads below `root` ("/" on a machine, a folder of files in tests); `pci_address` names the device in sysfs.
SystemMemory read_system_memory(const std::filesystem::path& root, const std::string& pci_address);

std::string to_json(const DeviceProfile& profile);
/// The file of `vkinfer devices --json`: an array.
std::string to_json(std::span<const DeviceProfile> profiles);

/// One profile or an array of them. Throws Error{invalid_input} that begins with `file_name` and names the field: one
/// that is missing, unknown, of another type, or contradicts another.
std::vector<DeviceProfile> parse_profiles(std::string_view json, std::string_view file_name);
/// The profile of a file; of several the one that `selector` names as --device does.
DeviceProfile read_profile(const std::filesystem::path& path, std::string_view selector = {});

} // namespace vkinfer::memory
