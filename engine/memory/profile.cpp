#include "memory/profile.h"

#include "gpu/device.h"

#include <charconv>
#include <format>
#include <fstream>
#include <sstream>

namespace vkinfer::memory {

namespace {

/// The first line of a file of /proc or /sys; empty when it cannot be read.
std::string read_line(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

template<class T>
std::optional<T> parse(std::string_view text) {
    T value{};
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc() || text.empty()) return std::nullopt;
    return value;
}

/// A line of /proc/meminfo in bytes.
std::optional<uint64_t> meminfo(const std::filesystem::path& root, std::string_view key) {
    std::ifstream file(root / "proc/meminfo");
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ':') continue;
        const size_t digits = line.find_first_of("0123456789");
        if (digits == std::string::npos) return std::nullopt;
        const auto kib = parse<uint64_t>(std::string_view(line).substr(digits));
        return kib ? std::optional(*kib * 1024) : std::nullopt;
    }
    return std::nullopt;
}

} // namespace

SystemMemory read_system_memory(const std::filesystem::path& root, const std::string& pci_address) {
    SystemMemory system;
    system.total_bytes = meminfo(root, "MemTotal");
    system.available_bytes = meminfo(root, "MemAvailable");
    if (!pci_address.empty()) {
        const std::filesystem::path device = root / "sys/bus/pci/devices" / pci_address;
        const auto value = [&](const char* name) { return parse<uint64_t>(read_line(device / name)); };
        system.vram_total_bytes = value("mem_info_vram_total");
        system.vram_used_bytes = value("mem_info_vram_used");
        system.visible_vram_total_bytes = value("mem_info_vis_vram_total");
        system.gtt_total_bytes = value("mem_info_gtt_total");
        system.gtt_used_bytes = value("mem_info_gtt_used");
    }
    system.amdgpu_gttsize_mib = parse<int64_t>(read_line(root / "sys/module/amdgpu/parameters/gttsize"));
    system.ttm_pages_limit = parse<uint64_t>(read_line(root / "sys/module/ttm/parameters/pages_limit"));
    system.kernel = read_line(root / "proc/sys/kernel/osrelease");
    std::istringstream words(read_line(root / "proc/cmdline"));
    for (std::string word; words >> word;) {
        if (!word.starts_with("amdgpu.") && !word.starts_with("ttm.") && !word.starts_with("amdttm.") &&
            !word.starts_with("amd_iommu") && !word.starts_with("iommu")) {
            continue;
        }
        if (!system.command_line.empty()) system.command_line += ' ';
        system.command_line += word;
    }
    return system;
}

DeviceProfile profile_of(gpu::Device& device) {
    return {.info = device.info(),
            .capabilities = device.capabilities(),
            .heaps = device.heaps(),
            .types = device.memory_types(),
            .system = read_system_memory("/", device.info().pci_address)};
}

} // namespace vkinfer::memory
