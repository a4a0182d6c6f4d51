#include "gpu/memory.h"

#include <algorithm>
#include <format>

namespace vkinfer::gpu {

const char* to_string(Domain domain) {
    switch (domain) {
    case Domain::device:
        return "device";
    case Domain::upload:
        return "upload";
    case Domain::readback:
        return "readback";
    }
    return "unknown";
}

std::vector<uint32_t> memory_types_for(Domain domain, DeviceType device_type, std::span<const MemoryTypeInfo> types,
                                       uint32_t type_bits) {
    const bool unified = device_type == DeviceType::integrated || device_type == DeviceType::cpu;
    struct Ranked {
        int score;
        uint32_t index;
    };
    std::vector<Ranked> ranked;
    for (const MemoryTypeInfo& type : types) {
        if (!type.usable || !(type_bits & (1u << type.index))) continue;
        const bool mappable = type.host_visible && type.host_coherent;
        int score = 0;
        switch (domain) {
        case Domain::device:
            if (!type.device_local && !unified) continue;
            if (type.device_local) score += 8;
            // Mapped device memory saves the staging copy on unified memory. On a discrete card the mappable window
            // (BAR) may be small and is left to upload rings.
            if (mappable == unified) score += 4;
            if (type.host_cached) score -= 1; // snooping the CPU's caches costs bandwidth
            break;
        case Domain::upload:
            if (!mappable) continue;
            if (!type.device_local || unified) score += 4;
            if (!type.host_cached) score += 2; // write-combined stores do not pollute the CPU's caches
            break;
        case Domain::readback:
            if (!mappable) continue;
            if (type.host_cached) score += 4; // reading uncached memory runs at tens of MB/s
            if (!type.device_local || unified) score += 2;
            break;
        }
        ranked.push_back({score, type.index});
    }
    std::ranges::stable_sort(ranked, std::ranges::greater(), &Ranked::score);
    std::vector<uint32_t> order;
    for (const Ranked& entry : ranked) order.push_back(entry.index);
    return order;
}

std::string size_text(uint64_t bytes) {
    if (bytes < 1024) return std::format("{} B", bytes);
    double value = static_cast<double>(bytes);
    const char* units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    value /= 1024;
    while (value >= 1024 && unit + 1 < std::size(units)) {
        value /= 1024;
        ++unit;
    }
    return std::format("{:.1f} {}", value, units[unit]);
}

} // namespace vkinfer::gpu
