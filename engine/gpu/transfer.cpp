#include "gpu/transfer.h"

#include "base/error.h"
#include "gpu/command_list.h"
#include "gpu/device.h"

#include <algorithm>
#include <cstring>
#include <format>

namespace vkinfer::gpu {

namespace {

constexpr uint64_t kStagingBytes = uint64_t{16} << 20;

void check_range(const Buffer& buffer, uint64_t offset, uint64_t size) {
    if (offset > buffer.size_bytes() || size > buffer.size_bytes() - offset) {
        throw Error(ErrorKind::invalid_input, std::format("bytes {} + {} do not lie in buffer {} of {} bytes", offset,
                                                          size, buffer.name(), buffer.size_bytes()));
    }
}

} // namespace

void write_buffer(Device& device, const Buffer& buffer, uint64_t offset, std::span<const std::byte> bytes) {
    check_range(buffer, offset, bytes.size());
    if (bytes.empty()) return;
    if (std::byte* mapped = buffer.mapped()) {
        std::memcpy(mapped + offset, bytes.data(), bytes.size());
        return;
    }
    const uint64_t step = std::min<uint64_t>(bytes.size(), kStagingBytes);
    const Buffer staging(
        device, {.size_bytes = step, .domain = Domain::upload, .name = "staging (upload)", .own_allocation = true});
    for (uint64_t done = 0; done < bytes.size(); done += step) {
        const uint64_t part = std::min<uint64_t>(step, bytes.size() - done);
        std::memcpy(staging.mapped(), bytes.data() + done, part);
        CommandList list(device, {.name = "upload"});
        list.copy({staging, 0, part}, {buffer, offset + done, part});
        list.end();
        device.wait(device.submit(list));
    }
}

void read_buffer(Device& device, const Buffer& buffer, uint64_t offset, std::span<std::byte> bytes) {
    check_range(buffer, offset, bytes.size());
    device.wait(device.last_submitted());
    if (bytes.empty()) return;
    if (const std::byte* mapped = buffer.mapped()) {
        std::memcpy(bytes.data(), mapped + offset, bytes.size());
        return;
    }
    const uint64_t step = std::min<uint64_t>(bytes.size(), kStagingBytes);
    const Buffer staging(
        device, {.size_bytes = step, .domain = Domain::readback, .name = "staging (readback)", .own_allocation = true});
    for (uint64_t done = 0; done < bytes.size(); done += step) {
        const uint64_t part = std::min<uint64_t>(step, bytes.size() - done);
        CommandList list(device, {.name = "readback"});
        list.copy({buffer, offset + done, part}, {staging, 0, part});
        list.end();
        device.wait(device.submit(list));
        std::memcpy(bytes.data() + done, staging.mapped(), part);
    }
}

} // namespace vkinfer::gpu
