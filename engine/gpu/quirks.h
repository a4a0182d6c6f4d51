// Driver behaviour that the Vulkan queries do not tell: one table of driver ranges, symptoms and links. A quirk changes
// a capability or names a limit; kernels see only the result.
#pragma once

#include "gpu/capabilities.h"

#include <cstdint>
#include <span>
#include <string_view>
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

/// A combination of device, driver and kernel that goes wrong whatever we do: named by `vkinfer doctor`.
struct KnownBad {
    uint32_t driver_id;        ///< VkDriverId
    uint32_t first_version;    ///< driverVersion, inclusive
    uint32_t last_version;     ///< inclusive
    const char* kernel_prefix; ///< "7.": the kernel's version begins so; "": any kernel
    bool integrated_only;
    const char* symptom;
    const char* advice;
    const char* link;
};

/// The rows that fit.
std::vector<const KnownBad*> known_bad(const Capabilities& capabilities, std::string_view kernel);

/// All rows.
std::span<const Quirk> quirk_table();

/// Applies every row that fits the driver in `capabilities`; returns those rows, for the log.
std::vector<const Quirk*> apply_quirks(Capabilities& capabilities, std::span<const Quirk> table = quirk_table());

} // namespace vkinfer::gpu
