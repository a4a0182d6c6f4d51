#include "base/error.h"
#include "gpu/buffer.h"
#include "gpu/command_list.h"
#include "gpu/device.h"
#include "gpu/testing/test_device.h"

#include <algorithm>
#include <chrono>
#include <doctest/doctest.h>

using namespace vkinfer;
using namespace vkinfer::gpu;

TEST_CASE("devices are listed in order and can be chosen") {
    testing::LogLines lines;
    const Instance instance = testing::make_instance(lines);
    const auto& devices = instance.devices();
    REQUIRE_FALSE(devices.empty());
    CHECK(std::ranges::is_sorted(devices, {}, &DeviceInfo::type));
    for (size_t i = 0; i < devices.size(); ++i) CHECK(devices[i].index == i);
    const Device by_index(instance, "0");
    CHECK(by_index.info().name == devices[0].name);
    const Device by_uuid(instance, devices[0].uuid_text());
    const Device by_name(instance, devices[0].name);
    CHECK_THROWS_AS(Device(instance, "no such device"), Error);
    CHECK_THROWS_AS(Device(instance, "4711"), Error);
    CHECK(instance.validation_message_count() == 0);
}

TEST_CASE("a device outlives its instance object") {
    testing::LogLines lines;
    std::unique_ptr<Device> device;
    {
        const Instance instance = testing::make_instance(lines);
        device = std::make_unique<Device>(instance);
    }
    CommandList list(*device);
    list.end();
    device->wait(device->submit(list));
}

TEST_CASE("capabilities are filled and sane") {
    testing::TestDevice device;
    const Capabilities& c = device->capabilities();
    CHECK(c.api_version >= kMinApiVersion);
    CHECK(c.min_subgroup_size >= 1);
    CHECK(c.min_subgroup_size <= c.subgroup_size);
    CHECK(c.subgroup_size <= c.max_subgroup_size);
    CHECK(c.shared_memory_bytes >= 16384);
    CHECK(c.max_group_invocations >= 128);
    CHECK(c.max_storage_range_bytes >= (1u << 27));
    CHECK(c.max_buffer_bytes >= (1u << 30));
    CHECK(c.max_push_bytes >= 128);
    CHECK(c.max_bindings >= 4);
    CHECK(c.compute_units > 0);
    CHECK(c.subgroup_arithmetic);
    CHECK(c.cooperative_matrix == !c.coopmat_shapes.empty());
    const auto heaps = device->heaps();
    REQUIRE_FALSE(heaps.empty());
    for (const HeapInfo& heap : heaps) CHECK(heap.size_bytes > 0);
    for (const CoopmatShape& shape : c.coopmat_shapes) CAPTURE(shape.text());
    // What Mesa 26.1 and newer have on the rigs of this project.
    if (device->info().driver_name == "llvmpipe") {
        CHECK(c.unified_memory);
        CHECK(c.subgroup_size == 8);
        CHECK(c.find_coopmat(ComponentType::f16, ComponentType::f16, ComponentType::f32) != nullptr);
        CHECK(c.compute_units_known);
    }
    if (device->info().driver_name == "radv") {
        CHECK(c.submit_budget_ms > 0);
        CHECK(c.compute_units_known);
        CHECK(c.executable_properties);
        CHECK(c.subgroup_size_control == (c.min_subgroup_size < c.max_subgroup_size)); // GCN has wave64 only
        for (const CoopmatShape& shape : c.coopmat_shapes) CHECK(shape.a == shape.b);
    }
    testing::TestDevice without({.cooperative_matrix = false});
    CHECK_FALSE(without->capabilities().cooperative_matrix);
    CHECK(without->capabilities().coopmat_shapes.empty());
}

TEST_CASE("tickets are reached in order") {
    testing::TestDevice device;
    CHECK(device->is_reached(Ticket{}));
    CommandList list(device, {.name = "empty", .reusable = true});
    list.end();
    std::vector<Ticket> tickets;
    for (int i = 0; i < 50; ++i) tickets.push_back(device->submit(list));
    CHECK(std::ranges::is_sorted(tickets));
    device->wait(tickets.back());
    for (const Ticket ticket : tickets) CHECK(device->is_reached(ticket));
    CHECK(device->wait(tickets.front(), std::chrono::seconds(0)));
    CommandList second(device, {.name = "second"});
    second.end();
    const CommandList* const both[] = {&list, &second};
    device->wait(device->submit(both));
    CHECK(second.last_submission() == device->last_submitted());
}

TEST_CASE("a failed submission is an error and the device goes on") {
    testing::TestDevice device;
    CommandList list(device, {.name = "empty", .reusable = true});
    list.end();
    device->inject_fault(Fault::submit, 2);
    device->submit(list);
    try {
        device->submit(list);
        FAIL("no error");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::out_of_memory);
        CHECK(error.message().starts_with("vkQueueSubmit2 failed with VK_ERROR_OUT_OF_DEVICE_MEMORY"));
    }
    device->wait(device->last_submitted());
    device->wait(device->submit(list));
}

TEST_CASE("submit and wait cost microseconds on the host") {
    testing::TestDevice device;
    CommandList list(device, {.name = "empty", .reusable = true});
    list.end();
    const auto start = std::chrono::steady_clock::now();
    constexpr int kRounds = 200;
    for (int i = 0; i < kRounds; ++i) device->wait(device->submit(list));
    const double us = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
    MESSAGE("submit + wait of an empty list: " << us / kRounds << " us");
    CHECK(us / kRounds < 5000); // catches only blunders: the machine may be busy
}
