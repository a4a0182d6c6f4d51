#include "memory/profile.h"

#include "base/error.h"
#include "support/support.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>

using namespace vkinfer;
using namespace vkinfer::memory;

namespace {

std::string text_of(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

void check_refused(const std::string& json, const std::string& part) {
    try {
        (void)parse_profiles(json, "mine.json");
        FAIL("accepted: " << part);
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::invalid_input);
        CHECK(error.message().starts_with("mine.json"));
        CHECK_MESSAGE(error.message().find(part) != std::string::npos, error.message());
    }
}

} // namespace

TEST_CASE("recorded profiles are read, and written as they were read") {
    int n = 0;
    for (const auto& entry : std::filesystem::directory_iterator(test::source_dir() / "tests" / "profiles")) {
        CAPTURE(entry.path().string());
        const DeviceProfile profile = read_profile(entry.path());
        CHECK_FALSE(profile.info.name.empty());
        CHECK(std::ranges::any_of(profile.types, &gpu::MemoryTypeInfo::device_local));
        const std::string json = to_json(profile);
        const DeviceProfile again = parse_profiles(json, "again").at(0);
        CHECK(to_json(again) == json);
        CHECK(again.system == profile.system);
        ++n;
    }
    CHECK(n >= 12);
}

TEST_CASE("a wrong profile is refused with the place and the reason") {
    const std::string good = text_of(test::source_dir() / "tests" / "profiles" / "strix-halo-64.json");
    REQUIRE(parse_profiles(good, "good").size() == 1);
    check_refused("", "is no JSON text");
    check_refused("{\"a\": 1,\n \"b\" 2}", "in line 2");
    check_refused(good + "}", "is no JSON text");
    check_refused("[]", "holds no device profile");
    check_refused("[1]", "[0]: is no JSON object");
    check_refused("{}", "field \"format\" is missing");
    check_refused(replaced(good, "\"version\": 1", "\"version\": 2"), "field \"version\" is 2, this program reads 1");
    check_refused(replaced(good, "\"driver_name\"", "\"driver_nam\""), "field \"driver_name\" is missing");
    check_refused(replaced(good, "\"type\": \"integrated\"", "\"type\": \"apu\""), "is \"apu\"");
    check_refused(replaced(good, "\"heap\": 0", "\"heap\": 7"),
                  "memory_types[2]: field \"heap\" is 7, but there are 2");
    check_refused(replaced(good, "\"host_visible\"", "\"host_visibel\""), "has \"host_visibel\"");
    check_refused(replaced(good, "\"max_buffer_bytes\": ", "\"max_buffer_bytes\": -"), "limits: field");
    check_refused(replaced(good, "\"size_bytes\": ", "\"size_bytes\": 1e3, \"x\": "), "is not an integer");
    check_refused(replaced(good, "\"size_bytes\": ", "\"color\": 3, \"size_bytes\": "),
                  "heaps[0]: field \"color\" is not known");
    check_refused(replaced(good, "16x16x16", "16x16"), "not like 16x16x16");
    check_refused(replaced(good, "\"api_version\": \"1", "\"api_version\": \"v1"), "not a version");
    check_refused(replaced(good, "\"subgroup_size\": 64", "\"subgroup_size\": 128"), "outside of 32 to 64");
}

TEST_CASE("of several profiles in a file the selector names one") {
    const auto folder = test::source_dir() / "tests" / "profiles";
    const auto path = std::filesystem::temp_directory_path() / "vkinfer_profiles_test.json";
    const std::vector<DeviceProfile> both = {read_profile(folder / "r9700-32.json"),
                                             read_profile(folder / "lavapipe.json")};
    std::ofstream(path) << to_json(both);
    CHECK(read_profile(path, "llvm").info.type == gpu::DeviceType::cpu);
    CHECK(read_profile(path, "R9700").info.type == gpu::DeviceType::discrete);
    CHECK_THROWS_AS((void)read_profile(path, "arc"), Error);
    std::filesystem::remove(path);
}

TEST_CASE("the kernel's view comes from proc and sysfs") {
    const auto root = std::filesystem::temp_directory_path() / "vkinfer_sysfs_test";
    std::filesystem::remove_all(root);
    const auto write = [&](const std::string& path, const std::string& text) {
        std::filesystem::create_directories((root / path).parent_path());
        std::ofstream(root / path) << text;
    };
    CHECK(read_system_memory(root, "0000:c5:00.0") == SystemMemory{});
    write("proc/meminfo", "MemTotal:       65000000 kB\nMemFree:  1 kB\nMemAvailable:   60000000 kB\n");
    write("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/x ttm.pages_limit=15728640 quiet amdgpu.gttsize=61440\n");
    write("proc/sys/kernel/osrelease", "6.16.3\n");
    write("sys/bus/pci/devices/0000:c5:00.0/mem_info_gtt_total", "64424509440\n");
    write("sys/bus/pci/devices/0000:c5:00.0/mem_info_gtt_used", "1048576\n");
    write("sys/bus/pci/devices/0000:c5:00.0/mem_info_vram_total", "536870912\n");
    write("sys/bus/pci/devices/0000:c5:00.0/mem_info_vram_used", "garbage\n");
    write("sys/module/amdgpu/parameters/gttsize", "-1\n");
    write("sys/module/ttm/parameters/pages_limit", "15728640\n");
    const SystemMemory system = read_system_memory(root, "0000:c5:00.0");
    CHECK(system.total_bytes == uint64_t{65000000} * 1024);
    CHECK(system.available_bytes == uint64_t{60000000} * 1024);
    CHECK(system.gtt_total_bytes == uint64_t{60} << 30);
    CHECK(system.gtt_used_bytes == uint64_t{1} << 20);
    CHECK(system.vram_total_bytes == uint64_t{512} << 20);
    CHECK_FALSE(system.vram_used_bytes.has_value());
    CHECK(system.amdgpu_gttsize_mib == -1);
    CHECK(system.ttm_pages_limit == uint64_t{15728640});
    CHECK(system.kernel == "6.16.3");
    CHECK(system.command_line == "ttm.pages_limit=15728640 amdgpu.gttsize=61440");
    std::filesystem::remove_all(root);
}
