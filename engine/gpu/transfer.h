// Blocking copies between host memory and any buffer: directly where it is mapped, else through a staging buffer. For
// tests, tools and small set-up data; loading a model has its own path.
#pragma once

#include "gpu/buffer.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vkinfer::gpu {

/// Returns when the data is in place. The GPU must not be using these bytes.
void write_buffer(Device& device, const Buffer& buffer, uint64_t offset, std::span<const std::byte> bytes);
/// Waits for all earlier submissions, then reads.
void read_buffer(Device& device, const Buffer& buffer, uint64_t offset, std::span<std::byte> bytes);

template<class T>
void write_buffer(Device& device, const Buffer& buffer, const std::vector<T>& values) {
    write_buffer(device, buffer, 0, std::as_bytes(std::span(values)));
}
template<class T>
std::vector<T> read_buffer(Device& device, const Buffer& buffer, size_t n_values, uint64_t offset = 0) {
    std::vector<T> values(n_values);
    read_buffer(device, buffer, offset, std::as_writable_bytes(std::span(values)));
    return values;
}

} // namespace vkinfer::gpu
