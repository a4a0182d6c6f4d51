#include "base/error.h"
#include "gpu/device_info.h"

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace vkinfer;
using namespace vkinfer::gpu;

namespace {

std::vector<DeviceInfo> three_devices() {
    std::vector<DeviceInfo> devices(3);
    devices[0] = {.index = 0, .name = "AMD Radeon AI PRO R9700", .type = DeviceType::discrete};
    devices[1] = {.index = 1, .name = "AMD Radeon RX 7900 XTX", .type = DeviceType::discrete};
    devices[2] = {.index = 2, .name = "llvmpipe", .type = DeviceType::cpu};
    for (auto& device : devices) device.api_version = kMinApiVersion + (1u << 12) + 309;
    devices[1].uuid = {0xab, 0xcd, 0xef};
    return devices;
}

Error error_of(const std::vector<DeviceInfo>& devices, std::string_view selector) {
    try {
        select_device(devices, selector);
    } catch (const Error& error) {
        return error;
    }
    FAIL("no error");
    return Error(ErrorKind::internal, "");
}

} // namespace

TEST_CASE("device choice by index, UUID and name") {
    const auto devices = three_devices();
    CHECK(select_device(devices, "") == 0);
    CHECK(select_device(devices, "2") == 2);
    CHECK(select_device(devices, "7900") == 1); // beyond the list, but a part of a name
    CHECK(select_device(devices, "LLVM") == 2);
    CHECK(select_device(devices, "abcdef00-0000-0000-0000-000000000000") == 1);
    CHECK(select_device(devices, "ABCDEF00000000000000000000000000") == 1);
}

TEST_CASE("device choice errors list what exists") {
    auto devices = three_devices();
    const Error unknown = error_of(devices, "arc");
    CHECK(unknown.kind() == ErrorKind::not_found);
    CHECK(unknown.hint().find("2: llvmpipe [cpu]") != std::string::npos);
    CHECK(error_of(devices, "42").kind() == ErrorKind::not_found);
    CHECK(error_of(devices, "00000000-0000-0000-0000-000000000001").kind() == ErrorKind::not_found);
    const Error several = error_of(devices, "radeon");
    CHECK(several.kind() == ErrorKind::invalid_input);
    CHECK(several.message() == "2 devices have \"radeon\" in their name");
    CHECK(error_of({}, "").kind() == ErrorKind::not_found);
}

TEST_CASE("a device below Vulkan 1.3 is passed over, and refused by name") {
    auto devices = three_devices();
    devices[0].api_version = (1u << 22) | (2u << 12) | 200;
    CHECK(select_device(devices, "") == 1);
    const Error old = error_of(devices, "R9700");
    CHECK(old.kind() == ErrorKind::unsupported);
    CHECK(old.message() == "device 0 (AMD Radeon AI PRO R9700) offers Vulkan 1.2.200, and Vulkan 1.3 is needed");
    for (auto& device : devices) device.api_version = 1u << 22;
    CHECK(error_of(devices, "").kind() == ErrorKind::unsupported);
}
