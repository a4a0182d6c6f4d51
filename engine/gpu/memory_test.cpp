#include "gpu/memory.h"

#include <doctest/doctest.h>

using namespace vkinfer::gpu;

namespace {

// RADV on a discrete card: VRAM, GTT (write-combined), VRAM through the BAR, GTT cached.
const std::vector<MemoryTypeInfo> kDiscrete = {
    {.index = 0, .heap = 0, .device_local = true},
    {.index = 1, .heap = 1, .host_visible = true, .host_coherent = true},
    {.index = 2, .heap = 0, .device_local = true, .host_visible = true, .host_coherent = true},
    {.index = 3, .heap = 1, .host_visible = true, .host_coherent = true, .host_cached = true},
    {.index = 4, .heap = 0, .device_local = true, .usable = false},
};

} // namespace

TEST_CASE("memory types on a discrete card") {
    using Order = std::vector<uint32_t>;
    CHECK(memory_types_for(Domain::device, DeviceType::discrete, kDiscrete) == Order{0, 2}); // never host memory
    CHECK(memory_types_for(Domain::upload, DeviceType::discrete, kDiscrete) == Order{1, 3, 2});
    CHECK(memory_types_for(Domain::readback, DeviceType::discrete, kDiscrete).front() == 3);
    CHECK(memory_types_for(Domain::device, DeviceType::discrete, kDiscrete, 1u << 2) == Order{2});
    CHECK(memory_types_for(Domain::device, DeviceType::discrete, kDiscrete, 1u << 4).empty());
}

TEST_CASE("memory types on unified memory: mapped first, every heap allowed") {
    using Order = std::vector<uint32_t>;
    CHECK(memory_types_for(Domain::device, DeviceType::integrated, kDiscrete) == Order{2, 0, 1, 3});
    CHECK(memory_types_for(Domain::readback, DeviceType::integrated, kDiscrete).front() == 3);
}

TEST_CASE("sizes in messages") {
    CHECK(size_text(17) == "17 B");
    CHECK(size_text(uint64_t{3} << 29) == "1.5 GiB");
    CHECK(size_text(~uint64_t{0}) == "16.0 EiB");
}
