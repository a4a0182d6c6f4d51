#include "gpu/device_info.h"

#include "base/error.h"

#include <algorithm>
#include <charconv>
#include <format>
#include <optional>
#include <vector>

namespace vkinfer::gpu {

namespace {

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

std::optional<std::array<uint8_t, 16>> parse_uuid(std::string_view text) {
    std::string digits;
    for (const char c : text) {
        if (c != '-') digits += c;
    }
    if (digits.size() != 32) return std::nullopt;
    std::array<uint8_t, 16> uuid{};
    for (size_t i = 0; i < uuid.size(); ++i) {
        const char* begin = digits.data() + 2 * i;
        const auto [end, error] = std::from_chars(begin, begin + 2, uuid[i], 16);
        if (error != std::errc() || end != begin + 2) return std::nullopt;
    }
    return uuid;
}

std::string hint_with_list(std::span<const DeviceInfo> devices) {
    return "Devices here (give an index, a UUID or a part of a name):\n" + describe(devices);
}

size_t require_usable(std::span<const DeviceInfo> devices, size_t position) {
    const DeviceInfo& info = devices[position];
    if (!info.is_usable()) {
        throw Error(ErrorKind::unsupported,
                    std::format("device {} ({}) offers Vulkan {}, and Vulkan 1.3 is needed", info.index, info.name,
                                info.api_version_text()),
                    "Update its driver or choose another device. " + hint_with_list(devices));
    }
    return position;
}

} // namespace

const char* to_string(DeviceType type) {
    switch (type) {
    case DeviceType::discrete:
        return "discrete";
    case DeviceType::integrated:
        return "integrated";
    case DeviceType::virtual_gpu:
        return "virtual";
    case DeviceType::cpu:
        return "cpu";
    case DeviceType::other:
        break;
    }
    return "other";
}

std::string DeviceInfo::api_version_text() const {
    return std::format("{}.{}.{}", (api_version >> 22) & 0x7f, (api_version >> 12) & 0x3ff, api_version & 0xfff);
}

std::string DeviceInfo::uuid_text() const {
    std::string text;
    for (size_t i = 0; i < uuid.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += std::format("{:02x}", uuid[i]);
    }
    return text;
}

bool DeviceInfo::is_usable() const {
    return (api_version & ~0xfffu) >= kMinApiVersion;
}

std::string describe(std::span<const DeviceInfo> devices) {
    std::string text;
    for (const DeviceInfo& info : devices) {
        if (!text.empty()) text += '\n';
        text += std::format("  {}: {} [{}] uuid {} driver {} {} Vulkan {}{}", info.index, info.name,
                            to_string(info.type), info.uuid_text(), info.driver_name, info.driver_info,
                            info.api_version_text(), info.is_usable() ? "" : " (too old)");
    }
    return text;
}

size_t select_device(std::span<const DeviceInfo> devices, std::string_view selector) {
    if (devices.empty()) {
        throw Error(ErrorKind::not_found, "no Vulkan device was found",
                    "Install a Vulkan driver (Mesa: mesa-vulkan-drivers, which also has lavapipe for the CPU), and "
                    "check that the user may open /dev/dri/renderD* (group render).");
    }
    if (selector.empty()) {
        for (size_t i = 0; i < devices.size(); ++i) {
            if (devices[i].is_usable()) return i;
        }
        throw Error(ErrorKind::unsupported, "no device here offers Vulkan 1.3",
                    "Update the driver. " + hint_with_list(devices));
    }
    if (const auto uuid = parse_uuid(selector)) {
        for (size_t i = 0; i < devices.size(); ++i) {
            if (devices[i].uuid == *uuid) return require_usable(devices, i);
        }
        throw Error(ErrorKind::not_found, std::format("no device has the UUID {}", selector), hint_with_list(devices));
    }
    const bool is_number = std::ranges::all_of(selector, [](char c) { return c >= '0' && c <= '9'; });
    if (is_number) {
        uint32_t index = 0;
        const auto parsed = std::from_chars(selector.data(), selector.data() + selector.size(), index);
        if (parsed.ec == std::errc()) {
            for (size_t i = 0; i < devices.size(); ++i) {
                if (devices[i].index == index) return require_usable(devices, i);
            }
        }
    }
    // A number beyond the list may still be a part of a name: "7900".
    std::vector<size_t> matches;
    for (size_t i = 0; i < devices.size(); ++i) {
        if (lower(devices[i].name).contains(lower(selector))) matches.push_back(i);
    }
    if (matches.size() == 1) return require_usable(devices, matches.front());
    if (matches.empty()) {
        throw Error(ErrorKind::not_found,
                    is_number ? std::format("there is no device {}, and no device name contains it", selector)
                              : std::format("no device name contains \"{}\"", selector),
                    hint_with_list(devices));
    }
    throw Error(ErrorKind::invalid_input, std::format("{} devices have \"{}\" in their name", matches.size(), selector),
                "Choose one by index or UUID. " + hint_with_list(devices));
}

} // namespace vkinfer::gpu
