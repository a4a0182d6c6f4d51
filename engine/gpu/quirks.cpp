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

} // namespace

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
