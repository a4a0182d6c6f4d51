#include "base/error.h"
#include "gpu/command_list.h"
#include "gpu/pipeline.h"
#include "gpu/testing/address.spv.h"
#include "gpu/testing/group_count.spv.h"
#include "gpu/testing/scale.spv.h"
#include "gpu/testing/test_device.h"
#include "gpu/transfer.h"

#include <array>
#include <doctest/doctest.h>
#include <numeric>

using namespace vkinfer;
using namespace vkinfer::gpu;

namespace {

struct ScalePush {
    uint32_t n;
    float factor;
};

Pipeline make_scale(Device& device, uint32_t add) {
    const uint32_t specialization[] = {8, add};
    return Pipeline(device, {.name = "scale",
                             .spirv = k_scale_spirv,
                             .specialization = specialization,
                             .push_bytes = sizeof(ScalePush),
                             .n_bindings = 2});
}

std::vector<float> ramp(size_t n) {
    std::vector<float> values(n);
    std::iota(values.begin(), values.end(), 0.0f);
    return values;
}

template<class Call>
ErrorKind kind_of(Call&& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.kind();
    }
    return ErrorKind::cancelled;
}

} // namespace

TEST_CASE("dispatch with push and specialisation constants, replayed") {
    testing::TestDevice device;
    constexpr uint32_t kN = 1001;
    const Buffer x(device, {.size_bytes = kN * 4, .name = "x"});
    const Buffer y(device, {.size_bytes = kN * 4, .name = "y"});
    const Buffer z(device, {.size_bytes = kN * 4, .name = "z"});
    const Pipeline add3 = make_scale(device, 3);
    const Pipeline add5 = make_scale(device, 5);
    write_buffer(device, x, ramp(kN));

    CommandList list(device, {.name = "replayed", .reusable = true, .n_timestamps = 2});
    list.timestamp(0);
    list.begin_label("two steps");
    list.dispatch(add3, ScalePush{kN, 2.0f}, {x, y}, (kN + 7) / 8);
    list.barrier(Barrier::compute_to_compute);
    list.dispatch(add5, ScalePush{kN, 10.0f}, {y, z}, (kN + 7) / 8);
    list.end_label();
    list.timestamp(1);
    list.end();
    CHECK(list.n_dispatches() == 2);
    CHECK(list.n_descriptor_sets() == 2);

    Ticket last;
    for (int round = 0; round < 3; ++round) {
        const Ticket ticket = device->submit(list);
        CHECK(ticket > last);
        last = ticket;
    }
    device->wait(last);
    CHECK(device->is_reached(last));
    CHECK(device->last_submitted() == last);
    const auto times = list.timestamps_ns();
    if (device->capabilities().timestamp_bits > 0) {
        REQUIRE(times.size() == 2);
        CHECK(times[1] >= times[0]);
    }
    if (device.executes()) {
        const auto values = read_buffer<float>(device, z, kN);
        for (uint32_t i = 0; i < kN; ++i) REQUIRE(values[i] == static_cast<float>((i * 2 + 3) * 10 + 5));
        CHECK(times[1] > 0);
    }
    // What changes between replays sits in buffers.
    write_buffer(device, x, std::vector<float>(kN, 1.0f));
    device->wait(device->submit(list));
    if (device.executes()) CHECK(read_buffer<float>(device, z, 1, 4000)[0] == 55.0f);
}

TEST_CASE("equal bindings share a descriptor set, and many sets fit") {
    testing::TestDevice device;
    constexpr uint32_t kSteps = 1000;
    const Buffer data(device, {.size_bytes = (kSteps + 1) * 256, .name = "data"});
    const Pipeline add1 = make_scale(device, 1);
    write_buffer(device, data, std::vector<float>(data.size_bytes() / 4, 0.0f));
    CommandList list(device, {.name = "chain"});
    for (uint32_t i = 0; i < kSteps; ++i) {
        list.dispatch(add1, ScalePush{1, 1.0f}, {{data, i * 256, 4}, {data, (i + 1) * 256, 4}}, 1);
        list.barrier(Barrier::compute_to_compute);
    }
    CHECK(list.n_descriptor_sets() == kSteps);
    for (uint32_t i = 0; i < 10; ++i) {
        list.dispatch(add1, ScalePush{1, 1.0f}, {{data, 0, 4}, {data, 256, 4}}, 1);
        list.barrier(Barrier::compute_to_compute);
    }
    CHECK(list.n_descriptor_sets() == kSteps);
    CHECK(list.n_barriers() == kSteps + 10);
    list.end();
    device->wait(device->submit(list));
    if (device.executes()) {
        CHECK(read_buffer<float>(device, data, 1, kSteps * 256)[0] == static_cast<float>(kSteps));
    }
}

TEST_CASE("indirect dispatch reads group counts that the GPU wrote") {
    testing::TestDevice device;
    constexpr uint32_t kN = 64;
    const Buffer x(device, {.size_bytes = kN * 4, .name = "x"});
    const Buffer y(device, {.size_bytes = kN * 4, .name = "y"});
    const Buffer arguments(device, {.size_bytes = 64, .name = "arguments"});
    const Pipeline scale = make_scale(device, 1);
    write_buffer(device, x, std::vector<float>(kN, 4.0f));
    write_buffer(device, y, std::vector<float>(kN, 0.0f));
    CommandList list(device, {.name = "indirect"});
    list.fill({arguments, 16, 4}, 3); // three groups of eight
    list.fill({arguments, 20, 8}, 1);
    list.barrier(Barrier::transfer_to_indirect);
    const ScalePush push{kN, 2.0f};
    list.dispatch_indirect(scale, std::as_bytes(std::span(&push, 1)), std::initializer_list<BufferRange>{x, y},
                           arguments, 16);
    CHECK(kind_of([&] {
              list.dispatch_indirect(scale, std::as_bytes(std::span(&push, 1)),
                                     std::initializer_list<BufferRange>{x, y}, arguments, 56);
          }) == ErrorKind::invalid_input);
    list.end();
    device->wait(device->submit(list));
    if (device.executes()) {
        const auto values = read_buffer<float>(device, y, kN);
        for (uint32_t i = 0; i < kN; ++i) REQUIRE(values[i] == (i < 24 ? 9.0f : 0.0f));
    }
}

TEST_CASE("workgroups of an indirect dispatch know how many they are") {
    testing::TestDevice device;
    constexpr uint32_t kN = 64;
    const Buffer y(device, {.size_bytes = kN * 16, .name = "y"});
    const Buffer z(device, {.size_bytes = kN * 16, .name = "z"});
    const Buffer arguments(device, {.size_bytes = 64, .name = "arguments"});
    const Pipeline count(device, {.name = "group_count", .spirv = k_group_count_spirv, .n_bindings = 1});
    write_buffer(device, y, std::vector<uint32_t>(kN * 4, 0));
    write_buffer(device, z, std::vector<uint32_t>(kN * 4, 0));
    CommandList list(device, {.name = "group counts"});
    for (uint32_t i = 0; i < 3; ++i) list.fill({arguments, 16 + 4 * i, 4}, i + 2);
    list.barrier(Barrier::transfer_to_indirect);
    list.dispatch_indirect(count, {}, std::initializer_list<BufferRange>{y}, arguments, 16);
    list.dispatch(count, {}, std::initializer_list<BufferRange>{z}, 5, 2, 1);
    list.end();
    device->wait(device->submit(list));
    if (!device.executes()) return;
    const auto expect = [&](const Buffer& buffer, std::array<uint32_t, 3> n) {
        const auto values = read_buffer<uint32_t>(device, buffer, kN * 4);
        for (uint32_t i = 0; i < kN * 4; ++i) {
            INFO(buffer.name(), " ", i);
            const bool is_written = i / 4 < n[0] * n[1] * n[2];
            REQUIRE(values[i] == (!is_written ? 0 : i % 4 == 3 ? 1 : n[i % 4]));
        }
    };
    expect(y, {2, 3, 4});
    expect(z, {5, 2, 1});
}

TEST_CASE("shaders reach buffers by address") {
    testing::TestDevice device;
    if (!device->capabilities().buffer_device_address || !device->capabilities().int64) return;
    struct {
        DeviceAddress address;
        uint32_t n;
        uint32_t unused;
    } push{};
    const Buffer data(device, {.size_bytes = 400, .name = "data"});
    write_buffer(device, data, std::vector<uint32_t>(100, 41));
    const Pipeline pipeline(device, {.name = "address", .spirv = k_address_spirv, .push_bytes = 16});
    push.address = data.address();
    push.n = 100;
    CommandList list(device, {.name = "address"});
    list.dispatch(pipeline, push, {}, 13);
    list.keep_alive(data);
    list.end();
    device->wait(device->submit(list));
    if (device.executes()) CHECK(read_buffer<uint32_t>(device, data, 100) == std::vector<uint32_t>(100, 42));
}

TEST_CASE("bindings and commands that do not fit are errors, not silent zeros") {
    testing::TestDevice device;
    const Capabilities& capabilities = device->capabilities();
    const Buffer x(device, {.size_bytes = 4096, .name = "x"});
    const Buffer y(device, {.size_bytes = 4096, .name = "y"});
    const Pipeline scale = make_scale(device, 1);
    CommandList list(device, {.name = "errors"});
    const auto dispatch = [&](BufferRange a, BufferRange b, uint32_t groups = 1) {
        return kind_of([&] { list.dispatch(scale, ScalePush{1, 1.0f}, {a, b}, groups); });
    };
    CHECK(dispatch(x, y) == ErrorKind::cancelled);
    CHECK(dispatch({x, 4096, 4}, y) == ErrorKind::invalid_input);
    CHECK(dispatch({x, 0, 4097}, y) == ErrorKind::invalid_input);
    CHECK(dispatch({x, ~uint64_t{0} - 2, 4}, y) == ErrorKind::invalid_input);
    CHECK(dispatch({x, 4096, kWholeSize}, y) == ErrorKind::invalid_input);
    if (capabilities.storage_offset_alignment > 1) CHECK(dispatch({x, 1, 4}, y) == ErrorKind::invalid_input);
    CHECK(kind_of([&] { list.dispatch(scale, ScalePush{1, 1.0f}, {x}, 1); }) == ErrorKind::internal);
    CHECK(kind_of([&] { list.dispatch(scale, {}, std::initializer_list<BufferRange>{x, y}, 1); }) ==
          ErrorKind::internal);
    if (capabilities.max_group_count[0] < ~0u) {
        CHECK(dispatch(x, y, capabilities.max_group_count[0] + 1) == ErrorKind::unsupported);
    }
    CHECK(kind_of([&] { list.copy({x, 0, 8}, {y, 0, 4}); }) == ErrorKind::invalid_input);
    CHECK(kind_of([&] { list.copy({x, 0, 8}, {x, 4, 8}); }) == ErrorKind::invalid_input);
    CHECK(kind_of([&] { list.fill({x, 2, 4}, 0); }) == ErrorKind::invalid_input);
    if (capabilities.max_storage_range_bytes < capabilities.max_buffer_bytes &&
        capabilities.max_storage_range_bytes < (uint64_t{1} << 30)) {
        const Buffer large(device, {.size_bytes = capabilities.max_storage_range_bytes + 256, .name = "large"});
        CHECK(dispatch(large, y) == ErrorKind::unsupported);
        CHECK(dispatch({large, 256, capabilities.max_storage_range_bytes}, y) == ErrorKind::cancelled);
    }
    CHECK(kind_of([&] { device->submit(list); }) == ErrorKind::internal); // not ended
    list.end();
    CHECK(kind_of([&] { list.barrier(Barrier::compute_to_compute); }) == ErrorKind::internal);
    device->wait(device->submit(list));
    CHECK(kind_of([&] { device->submit(list); }) == ErrorKind::internal); // not reusable
    list.begin();
    list.end();
    device->wait(device->submit(list));
}

TEST_CASE("lists, pipelines and buffers may go before the GPU has finished") {
    testing::TestDevice device;
    const Buffer y(device, {.size_bytes = 1 << 20, .name = "y"});
    for (int round = 0; round < 20; ++round) {
        const Buffer x(device, {.size_bytes = 1 << 20, .name = "x"});
        const Pipeline scale = make_scale(device, static_cast<uint32_t>(round));
        CommandList list(device, {.name = "early"});
        list.fill(x, 0);
        list.barrier(Barrier::transfer_to_compute);
        list.dispatch(scale, ScalePush{1 << 18, 1.0f}, {x, y}, 1 << 15);
        list.end();
        CommandList moved = std::move(list);
        device->submit(moved);
    }
    if (device.executes()) CHECK(read_buffer<float>(device, y, 1)[0] == 19.0f);
}
