#include "base/error.h"
#include "gpu/buffer.h"
#include "gpu/command_list.h"
#include "gpu/testing/test_device.h"
#include "gpu/transfer.h"

#include <doctest/doctest.h>
#include <numeric>

using namespace vkinfer;
using namespace vkinfer::gpu;

TEST_CASE("buffers of every domain: round trip") {
    testing::TestDevice device;
    std::vector<uint32_t> values(5000);
    std::iota(values.begin(), values.end(), 3u);
    for (const Domain domain : {Domain::device, Domain::upload, Domain::readback}) {
        CAPTURE(to_string(domain));
        const Buffer buffer(device, {.size_bytes = 20000, .domain = domain, .name = "round trip"});
        CHECK(buffer.size_bytes() == 20000);
        if (domain != Domain::device) CHECK(buffer.mapped() != nullptr);
        if (device->capabilities().unified_memory) CHECK(buffer.mapped() != nullptr);
        if (device->capabilities().buffer_device_address) CHECK(buffer.address() != 0);
        write_buffer(device, buffer, values);
        if (device.executes() || buffer.mapped()) CHECK(read_buffer<uint32_t>(device, buffer, 5000) == values);
    }
}

TEST_CASE("small buffers share blocks, large ones do not, and all memory comes back") {
    testing::TestDevice device;
    const auto own_bytes = [&] {
        uint64_t sum = 0;
        for (const HeapInfo& heap : device->heaps()) sum += heap.own_bytes;
        return sum;
    };
    CHECK(own_bytes() == 0);
    uint64_t with_two = 0;
    {
        const Buffer a(device, {.size_bytes = 1000, .name = "a"});
        const uint64_t with_one = own_bytes();
        const Buffer b(device, {.size_bytes = 3 << 20, .name = "b"});
        with_two = own_bytes();
        CHECK(with_one == with_two);
        if (a.address()) CHECK(a.address() != b.address());
        const Buffer c(device, {.size_bytes = 40 << 20, .name = "c"});
        CHECK(own_bytes() >= with_two + (40 << 20));
    }
    CHECK(own_bytes() <= with_two); // one empty block is kept
}

TEST_CASE("buffers that cannot be are errors with numbers") {
    testing::TestDevice device;
    const auto error_of = [&](const BufferDesc& desc) {
        try {
            const Buffer buffer(device, desc);
        } catch (const Error& error) {
            return error;
        }
        return Error(ErrorKind::internal, "no error");
    };
    CHECK(error_of({.size_bytes = 0, .name = "none"}).kind() == ErrorKind::invalid_input);
    const Error too_large = error_of({.size_bytes = uint64_t{1} << 50, .name = "kv"});
    CHECK(too_large.kind() == ErrorKind::unsupported);
    CHECK(too_large.message().find("1.0 PiB") != std::string::npos);
    CHECK(too_large.message().find("buffer kv") != std::string::npos);

    device->inject_fault(Fault::allocation, 2);
    const Buffer fits(device, {.size_bytes = 100, .name = "first"});
    const Error full = error_of({.size_bytes = 1 << 20, .name = "second"});
    CHECK(full.kind() == ErrorKind::out_of_memory);
    CHECK(full.message().find("1.0 MiB") != std::string::npos);
    CHECK(full.message().find("heap 0") != std::string::npos);
    const Buffer later(device, {.size_bytes = 1 << 20, .name = "third"});
    CHECK(later.size_bytes() == 1 << 20);
}

TEST_CASE("a heap is never over-committed") {
    testing::TestDevice device;
    // Asking for ever more address space is cheap where memory is committed on first touch, but only there.
    const auto& capabilities = device->capabilities();
    uint64_t total = 0;
    for (const HeapInfo& heap : device->heaps()) total += heap.size_bytes;
    const uint64_t each = capabilities.max_buffer_bytes & ~uint64_t{0xffff};
    std::vector<Buffer> buffers;
    bool ran_out = false;
    if (device.executes() && device->info().type == DeviceType::cpu) {
        for (uint64_t n = 0; n <= total / each + 1 && !ran_out; ++n) {
            try {
                buffers.emplace_back(device, BufferDesc{.size_bytes = each, .name = "large"});
            } catch (const Error& error) {
                CHECK(error.kind() == ErrorKind::out_of_memory);
                ran_out = true;
            }
        }
        CHECK(ran_out);
    }
}

TEST_CASE("dropping buffers before the GPU has finished is safe") {
    testing::TestDevice device;
    Ticket ticket;
    Buffer result(device, {.size_bytes = 4 << 20, .domain = Domain::readback, .name = "result"});
    {
        Buffer source(device, {.size_bytes = 4 << 20, .name = "source"});
        CommandList list(device, {.name = "fill and copy"});
        list.fill(source, 0x01020304);
        list.barrier(Barrier::transfer_to_transfer);
        list.copy(source, result);
        list.end();
        source = Buffer(); // recorded, not yet submitted: the list keeps it alive
        ticket = device->submit(list);
    }
    device->wait(ticket);
    if (device.executes()) {
        for (const uint32_t value : result.mapped_as<uint32_t>()) REQUIRE(value == 0x01020304);
    }
}
