// Driver behaviour that the Vulkan queries do not tell: one table of driver ranges, symptoms and links. A quirk changes
// a capability or names a limit; kernels see only the result.
#pragma once

#include "gpu/capabilities.h"

#include <cstdint>
#include <span>
#include <vector>

namespace vkinfer::gpu {

struct Quirk {
    const char* name;
    uint32_t driver_id;           ///< VkDriverId
    uint32_t first_version;       ///< VkPhysicalDeviceProperties::driverVersion, inclusive
    uint32_t last_version;        ///< inclusive; ~0u while no fixed version is known
    const char* symptom;          ///< what happens without the workaround
    const char* link;             ///< where it was reported or written down
    void (*apply)(Capabilities&); ///< the workaround
};

/// All rows.
std::span<const Quirk> quirk_table();

/// Applies every row that fits the driver in `capabilities`; returns those rows, for the log.
std::vector<const Quirk*> apply_quirks(Capabilities& capabilities, std::span<const Quirk> table = quirk_table());

} // namespace vkinfer::gpu
