#include "gpu/quirks.h"

#include <volk.h>

namespace vkinfer::gpu {

namespace {

constexpr uint32_t kAnyVersion = ~0u;

// amdgpu resets the ring about 2 s after a submission started; a reset on an integrated GPU takes the desktop with it.
// 250 ms leaves room for cost estimates that are off by a factor of several and for other users of the GPU.
void limit_integrated_submits(Capabilities& capabilities) {
    capabilities.submit_budget_ms = capabilities.device_type == DeviceType::integrated ? 250 : 1000;
}

constexpr Quirk kTable[] = {
    {"radv-watchdog", VK_DRIVER_ID_MESA_RADV, 0, kAnyVersion,
     "a submission that runs for about 2 s is killed and the device is lost",
     "https://github.com/ggml-org/llama.cpp/issues/25664", limit_integrated_submits},
    {"amdvlk-watchdog", VK_DRIVER_ID_AMD_OPEN_SOURCE, 0, kAnyVersion, "the same kernel driver with the same time limit",
     "https://github.com/ggml-org/llama.cpp/issues/25664", limit_integrated_submits},
};

constexpr uint32_t version(uint32_t major, uint32_t minor, uint32_t patch) {
    return major << 22 | minor << 12 | patch;
}

constexpr KnownBad kKnownBad[] = {
    {VK_DRIVER_ID_MESA_RADV, 0, kAnyVersion, "7.", true, "kernels 7.x lose the device at long contexts on Strix Halo",
     "use a 6.x kernel, or smaller -ub", "https://github.com/ggml-org/llama.cpp/issues/27076"},
    {VK_DRIVER_ID_MESA_LLVMPIPE, 0, version(25, 0, 0xfff), "", false,
     "lavapipe before Mesa 25.1 has no cooperative matrices", "update Mesa to test them",
     "https://packages.debian.org/trixie-backports/mesa-vulkan-drivers"},
    {VK_DRIVER_ID_AMD_OPEN_SOURCE, 0, kAnyVersion, "", false, "AMDVLK is no longer developed",
     "install RADV (mesa-vulkan-drivers)", "https://github.com/GPUOpen-Drivers/AMDVLK"},
};

} // namespace

std::vector<const KnownBad*> known_bad(const Capabilities& capabilities, std::string_view kernel) {
    std::vector<const KnownBad*> found;
    for (const KnownBad& row : kKnownBad) {
        if (row.driver_id != capabilities.driver_id || capabilities.driver_version < row.first_version ||
            capabilities.driver_version > row.last_version || !kernel.starts_with(row.kernel_prefix) ||
            (row.integrated_only && capabilities.device_type != DeviceType::integrated)) {
            continue;
        }
        found.push_back(&row);
    }
    return found;
}

std::span<const Quirk> quirk_table() {
    return kTable;
}

std::vector<const Quirk*> apply_quirks(Capabilities& capabilities, std::span<const Quirk> table) {
    std::vector<const Quirk*> applied;
    for (const Quirk& quirk : table) {
        if (quirk.driver_id != capabilities.driver_id || capabilities.driver_version < quirk.first_version ||
            capabilities.driver_version > quirk.last_version) {
            continue;
        }
        quirk.apply(capabilities);
        applied.push_back(&quirk);
    }
    return applied;
}

} // namespace vkinfer::gpu
