// Where buffers live: domains as callers see them, heaps as the device reports them, and which memory type serves which
// domain. No Vulkan in here, so that choices can be tested on recorded device profiles.
#pragma once

#include "gpu/device_info.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vkinfer::gpu {

/// Where a buffer lives, by use. Device memory is host-mapped too where that costs nothing (integrated, CPU).
enum class Domain : uint8_t {
    device,   ///< read and written by shaders
    upload,   ///< written by the host in order, read by the GPU; host reads may be very slow
    readback, ///< written by the GPU, read by the host
};

const char* to_string(Domain domain);

struct MemoryTypeInfo {
    uint32_t index = 0;
    uint32_t heap = 0;
    bool device_local = false;
    bool host_visible = false;
    bool host_coherent = false;
    bool host_cached = false;
    bool usable = true; ///< false: needs a feature that is not enabled (protected, lazily allocated, AMD coherent)
};

struct HeapInfo {
    uint32_t index = 0;
    uint64_t size_bytes = 0;
    uint64_t budget_bytes = 0; ///< what this process may use now; the size when the driver does not say
    uint64_t usage_bytes = 0;  ///< what this process uses; our own allocations when the driver does not say
    uint64_t own_bytes = 0;    ///< allocated through this Device
    bool device_local = false;
    bool host_visible = false; ///< some type of this heap can be mapped
};

/// Memory types to try for a domain, best first, among those in the mask `type_bits`. Only coherent types are used for
/// mapping, so nothing ever has to be flushed. On unified memory a device buffer may fall back to any heap (they are
/// the same DRAM); on a discrete card it may not (PCIe would be a cliff).
std::vector<uint32_t> memory_types_for(Domain domain, DeviceType device_type, std::span<const MemoryTypeInfo> types,
                                       uint32_t type_bits = ~0u);

/// "1.5 GiB", for messages.
std::string size_text(uint64_t bytes);

} // namespace vkinfer::gpu
