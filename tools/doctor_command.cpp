#include "tools/doctor_command.h"

#include "gpu/device.h"
#include "gpu/instance.h"
#include "tools/program.h"

#include <algorithm>
#include <cstdio>
#include <format>
#include <memory>

namespace vkinfer::tools {

namespace {

/// Render nodes of AMD cards that Vulkan does not list, which is what missing permissions look like.
void print_hidden_nodes(bool has_gpu) {
    if (has_gpu) return;
    std::error_code failure;
    for (const auto& entry : std::filesystem::directory_iterator("/dev/dri", failure)) {
        if (!entry.path().filename().string().starts_with("renderD")) continue;
        std::printf("! %-14s %s is there, but no Vulkan device uses it: install its driver (Debian: "
                    "mesa-vulkan-drivers), or add the user to the group render\n",
                    "render node", entry.path().c_str());
    }
}

} // namespace

std::string findings_text(std::span<const memory::Finding> findings) {
    std::string text;
    for (const memory::Finding& finding : findings) {
        const char mark = finding.severity == memory::Severity::warning ? '!'
                          : finding.severity == memory::Severity::note  ? '*'
                                                                        : ' ';
        text += std::format("{} {:<14} {}\n", mark, finding.what, finding.text);
    }
    return text;
}

CommandBody add_doctor_command(CLI::App& app) {
    const auto profile_path = std::make_shared<std::string>();
    app.add_option("--profile", *profile_path, "look at a device profile instead of this machine");
    return [profile_path] {
        if (!profile_path->empty()) {
            const auto findings = memory::examine(memory::read_profile(*profile_path), {});
            std::fputs(findings_text(findings).c_str(), stdout);
            return kExitOk;
        }
        const gpu::Instance instance;
        bool has_gpu = false;
        bool has_warning = instance.devices().empty();
        if (has_warning) std::puts("! There is no Vulkan device. Install a driver (Debian: mesa-vulkan-drivers).");
        for (const gpu::DeviceInfo& info : instance.devices()) {
            if (!info.is_usable()) {
                std::printf("! %-14s %s: Vulkan %s, 1.3 is needed\n\n", "device", info.name.c_str(),
                            info.api_version_text().c_str());
                continue;
            }
            gpu::DeviceOptions options;
            options.pipeline_cache.enabled = false;
            gpu::Device device(instance, std::to_string(info.index), options);
            const auto findings =
                memory::examine(memory::profile_of(device), memory::read_doctor_input("/", info.pci_address));
            std::printf("%s\n", findings_text(findings).c_str());
            has_gpu = has_gpu || info.type != gpu::DeviceType::cpu;
            has_warning = has_warning || std::ranges::any_of(findings, [](const memory::Finding& finding) {
                              return finding.severity == memory::Severity::warning;
                          });
        }
        print_hidden_nodes(has_gpu);
        return has_warning ? kExitFailed : kExitOk;
    };
}

} // namespace vkinfer::tools
