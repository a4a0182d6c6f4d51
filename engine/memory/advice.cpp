#include "memory/advice.h"

#include "gpu/quirks.h"
#include "memory/planner.h"

#include <algorithm>
#include <format>
#include <fstream>
#include <unistd.h>

namespace vkinfer::memory {

using gpu::size_text;

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;
/// What the rest of a machine should keep when the GTT limit is raised.
constexpr uint64_t kSystemBytes = 4 * kGiB;

std::string first_line(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::string version_text(uint32_t version) {
    return std::format("{}.{}.{}", version >> 22, version >> 12 & 0x3ff, version & 0xfff);
}

} // namespace

std::string gtt_advice(const DeviceProfile& profile, uint64_t needed_bytes) {
    const SystemMemory& system = profile.system;
    if (profile.info.type != gpu::DeviceType::integrated || !system.gtt_total_bytes || !system.total_bytes) return {};
    const uint64_t carve_out = system.vram_total_bytes.value_or(0);
    if (needed_bytes <= *system.gtt_total_bytes + carve_out) return {}; // the limit is not what is missing
    // Raised to what is needed plus 1 GiB, in whole GiB, but the system keeps some.
    const uint64_t most = *system.total_bytes > kSystemBytes ? *system.total_bytes - kSystemBytes : 0;
    const uint64_t wanted = needed_bytes > carve_out ? needed_bytes - carve_out + kGiB : kGiB;
    const uint64_t gtt = std::min((wanted + kGiB - 1) / kGiB * kGiB, most / kGiB * kGiB);
    std::string text = std::format("The kernel lets the GPU map {} of the machine's {}",
                                   size_text(*system.gtt_total_bytes), size_text(*system.total_bytes));
    if (carve_out > 0) text += std::format(" (beside the firmware's carve-out of {})", size_text(carve_out));
    if (gtt <= *system.gtt_total_bytes || gtt + carve_out < needed_bytes) {
        return text + std::format("; even its largest sensible limit would be {}, so no kernel parameter helps.",
                                  size_text(most));
    }
    text +=
        std::format(". With the kernel parameters ttm.pages_limit={0} ttm.page_pool_size={0}, and amdgpu.gttsize={1} "
                    "for kernels before 6.12, it would map {2}: append them to GRUB_CMDLINE_LINUX_DEFAULT in "
                    "/etc/default/grub, run update-grub (or grub2-mkconfig), and reboot. As module options: "
                    "\"options ttm pages_limit={0} page_pool_size={0}\" in /etc/modprobe.d/ttm.conf, then rebuild "
                    "the initramfs.",
                    gtt / kPageBytes, gtt / kMiB, size_text(gtt));
    if (!system.command_line.empty()) text += std::format(" Set now: {}.", system.command_line);
    return text;
}

DoctorInput read_doctor_input(const std::filesystem::path& root, const std::string& pci_address) {
    DoctorInput input;
    const std::filesystem::path device = root / "sys/bus/pci/devices" / pci_address;
    std::error_code failure;
    if (!pci_address.empty()) {
        for (const auto& entry : std::filesystem::directory_iterator(device / "drm", failure)) {
            const std::string name = entry.path().filename().string();
            if (name.starts_with("renderD")) input.render_node = (root / "dev/dri" / name).string();
        }
        input.power_profile = first_line(device / "power_dpm_force_performance_level");
    }
    if (!input.render_node.empty()) {
        input.can_open_render_node = ::access(input.render_node.c_str(), R_OK | W_OK) == 0;
    }
    input.platform_profile = first_line(root / "sys/firmware/acpi/platform_profile");
    return input;
}

std::vector<Finding> examine(const DeviceProfile& profile, const DoctorInput& input) {
    std::vector<Finding> findings;
    const auto add = [&](Severity severity, std::string what, std::string text) {
        findings.push_back({severity, std::move(what), std::move(text)});
    };
    const gpu::DeviceInfo& info = profile.info;
    const gpu::Capabilities& c = profile.capabilities;
    const SystemMemory& system = profile.system;
    add(Severity::ok, "device", std::format("{} ({})", info.name, gpu::to_string(info.type)));
    add(Severity::ok, "driver",
        std::format("{} {}, Vulkan {}", info.driver_name, info.driver_info, version_text(info.api_version)));
    if (!system.kernel.empty()) add(Severity::ok, "kernel", system.kernel);
    if (info.type == gpu::DeviceType::cpu) {
        add(Severity::note, "device", "This is a CPU that acts as a GPU: for tests, and slow.");
    }
    gpu::Capabilities quirked = c;
    for (const gpu::Quirk* quirk : gpu::apply_quirks(quirked)) {
        add(Severity::note, "known", std::format("{}: {} ({})", quirk->name, quirk->symptom, quirk->link));
    }
    for (const gpu::KnownBad* bad : gpu::known_bad(c, system.kernel)) {
        add(Severity::warning, "known bad", std::format("{}; {} ({})", bad->symptom, bad->advice, bad->link));
    }

    const Room room = room_of(profile);
    for (const HeapRoom& heap : room.heaps) {
        std::string text = std::format("{}, {} free, {}", size_text(heap.size_bytes), size_text(heap.free_bytes),
                                       heap.device_local ? "device-local" : "host");
        if (heap.headroom_bytes > 0) text += std::format(", {} left to others", size_text(heap.headroom_bytes));
        add(Severity::ok, std::format("heap {}", heap.heap), text);
    }
    for (const SharedLimit& limit : room.limits) {
        add(Severity::ok, "usable", std::format("{} ({})", size_text(limit.room_bytes), limit.reason));
    }
    add(Severity::ok, "limits",
        std::format("one allocation {}, one buffer {}, one binding {}", size_text(c.max_allocation_bytes),
                    size_text(c.max_buffer_bytes), size_text(c.max_storage_range_bytes)));
    if (!c.memory_budget) {
        add(Severity::note, "budget", "The driver does not say what other programs use; what is free is a guess.");
    }
    if (!c.buffer_device_address) {
        add(Severity::warning, "addresses", "The driver has no buffer addresses, which every kernel needs.");
    }
    if (c.coopmat_shapes.empty()) {
        add(Severity::note, "matrices", "No cooperative matrices: prompts are read on the plain units.");
    }
    if (info.type == gpu::DeviceType::discrete && !profile.is_unified()) {
        uint64_t visible = 0;
        uint64_t vram = 0;
        for (const gpu::HeapInfo& heap : profile.heaps) {
            if (!heap.device_local) continue;
            vram += heap.size_bytes;
            if (heap.host_visible) visible += heap.size_bytes;
        }
        if (visible * 2 < vram) {
            add(Severity::note, "BAR",
                std::format("The CPU sees {} of {} of the card. Resizable BAR (\"Above 4G decoding\" in the firmware) "
                            "makes all of it visible; loading does not need it.",
                            size_text(visible), size_text(vram)));
        }
    }
    if (info.type == gpu::DeviceType::integrated && system.total_bytes && system.gtt_total_bytes) {
        const uint64_t most = *system.total_bytes > kSystemBytes ? *system.total_bytes - kSystemBytes : 0;
        const uint64_t usable = *system.gtt_total_bytes + system.vram_total_bytes.value_or(0);
        if (*system.gtt_total_bytes + kGiB < most) {
            add(Severity::note, "GTT limit",
                gtt_advice(profile, std::max(most + system.vram_total_bytes.value_or(0) - kGiB, usable + 1)));
        } else {
            add(Severity::ok, "GTT limit",
                std::format("{} of {}", size_text(*system.gtt_total_bytes), size_text(*system.total_bytes)));
        }
    }
    if (!input.render_node.empty()) {
        if (input.can_open_render_node) {
            add(Severity::ok, "render node", input.render_node + " can be opened");
        } else {
            add(Severity::warning, "render node",
                input.render_node + " cannot be opened: add the user to the group render (sudo usermod -aG "
                                    "render $USER) and log in again");
        }
    }
    if (!input.power_profile.empty()) {
        const bool is_slow = input.power_profile == "low";
        add(is_slow ? Severity::warning : Severity::ok, "power level",
            input.power_profile + (is_slow ? ": clocks stay at the lowest; write auto to "
                                             "power_dpm_force_performance_level"
                                           : ""));
    }
    if (!input.platform_profile.empty()) {
        const bool is_slow = input.platform_profile == "low-power" || input.platform_profile == "quiet";
        add(is_slow ? Severity::note : Severity::ok, "power profile",
            input.platform_profile +
                (is_slow ? ": powerprofilesctl set performance gives the GPU its full power" : ""));
    }
    return findings;
}

} // namespace vkinfer::memory
