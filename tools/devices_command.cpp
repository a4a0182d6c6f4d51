#include "tools/devices_command.h"

#include "gpu/device.h"
#include "gpu/instance.h"
#include "memory/profile.h"
#include "tools/program.h"

#include <cstdio>
#include <format>
#include <memory>

namespace vkinfer::tools {

namespace {

/// The profiles of all devices that the engine can use.
std::string devices_json(const gpu::Instance& instance) {
    std::vector<memory::DeviceProfile> profiles;
    for (const gpu::DeviceInfo& info : instance.devices()) {
        if (!info.is_usable()) continue;
        gpu::DeviceOptions options;
        options.pipeline_cache.enabled = false;
        gpu::Device device(instance, std::to_string(info.index), options);
        profiles.push_back(memory::profile_of(device));
    }
    return memory::to_json(profiles);
}

} // namespace

std::string device_list_text() {
    const gpu::Instance instance;
    std::string text = "Available devices:\n";
    if (instance.devices().empty()) text += "  (none)\n";
    for (const gpu::DeviceInfo& device : instance.devices()) {
        text += std::format("  Vulkan{}: {} ({})\n", device.index, device.name, device.driver_info);
    }
    return text;
}

CommandBody add_devices_command(CLI::App& app) {
    const auto is_json = std::make_shared<bool>(false);
    app.add_flag("--json", *is_json, "as JSON, with all that `vkinfer plan --profile` needs");
    return [is_json] {
        const gpu::Instance instance;
        const auto& devices = instance.devices();
        if (*is_json) {
            std::fputs(devices_json(instance).c_str(), stdout);
        } else if (devices.empty()) {
            std::puts("There is no Vulkan device. Install a driver (Debian: mesa-vulkan-drivers).");
        } else {
            std::puts(gpu::describe(devices).c_str());
        }
        return devices.empty() ? kExitFailed : kExitOk;
    };
}

} // namespace vkinfer::tools
