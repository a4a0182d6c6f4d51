// What a user can change about memory, as text: nothing here changes anything.
#pragma once

#include "memory/profile.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vkinfer::memory {

/// When the kernel's limit on GPU-mapped system memory (GTT) is what keeps `needed_bytes` from an APU, and raising it
/// would help: which parameter, to what, where. Empty otherwise.
std::string gtt_advice(const DeviceProfile& profile, uint64_t needed_bytes);

enum class Severity : uint8_t { ok, note, warning };

struct Finding {
    Severity severity = Severity::ok;
    std::string what; ///< "GTT limit"
    std::string text;
};

/// What `vkinfer doctor` looks at beside the profile.
struct DoctorInput {
    std::string render_node; ///< "/dev/dri/renderD128"; empty: none found
    bool can_open_render_node = true;
    std::string power_profile;    ///< power_dpm_force_performance_level; empty: unknown
    std::string platform_profile; ///< /sys/firmware/acpi/platform_profile
};

/// Reads below `root` ("/" on a machine).
DoctorInput read_doctor_input(const std::filesystem::path& root, const std::string& pci_address);

/// Everything worth saying about a device, in the order in which a person would look.
std::vector<Finding> examine(const DeviceProfile& profile, const DoctorInput& input);

} // namespace vkinfer::memory
