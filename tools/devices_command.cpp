#include "tools/devices_command.h"

#include "gpu/instance.h"
#include "tools/json_text.h"
#include "tools/program.h"

#include <cstdio>
#include <format>
#include <memory>

namespace vkinfer::tools {

namespace {

std::string devices_json(const std::vector<gpu::DeviceInfo>& devices) {
    std::string json = "[";
    for (const gpu::DeviceInfo& device : devices) {
        json += std::format(
            "{}\n  {{\"index\": {}, \"name\": {}, \"type\": {}, \"uuid\": {}, \"driver_name\": {}, "
            "\"driver_info\": {}, \"api_version\": {}, \"vendor_id\": {}, \"device_id\": {}, \"usable\": {}}}",
            json.size() > 1 ? "," : "", device.index, json_string(device.name),
            json_string(gpu::to_string(device.type)), json_string(device.uuid_text()), json_string(device.driver_name),
            json_string(device.driver_info), json_string(device.api_version_text()), device.vendor_id, device.device_id,
            device.is_usable() ? "true" : "false");
    }
    return json + "\n]\n";
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
    app.add_flag("--json", *is_json, "as JSON");
    return [is_json] {
        const gpu::Instance instance;
        const auto& devices = instance.devices();
        if (*is_json) {
            std::fputs(devices_json(devices).c_str(), stdout);
        } else if (devices.empty()) {
            std::puts("There is no Vulkan device. Install a driver (Debian: mesa-vulkan-drivers).");
        } else {
            std::puts(gpu::describe(devices).c_str());
        }
        return devices.empty() ? kExitFailed : kExitOk;
    };
}

} // namespace vkinfer::tools
