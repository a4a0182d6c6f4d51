#include "kernels/codebooks.h"

#include "gpu/device.h"
#include "gpu/transfer.h"

namespace vkinfer::kernels {

uint64_t Codebooks::address(gpu::Device& device, format::TensorType type) {
    const std::span<const uint16_t> words = format::traits(type).codebook;
    if (words.empty()) return 0;
    for (const Entry& entry : entries_) {
        if (entry.words == words.data()) return entry.buffer.address();
    }
    gpu::Buffer buffer(device, {.size_bytes = words.size_bytes(), .domain = gpu::Domain::device, .name = "codebook"});
    gpu::write_buffer(device, buffer, 0, std::as_bytes(words));
    return entries_.emplace_back(words.data(), std::move(buffer)).buffer.address();
}

} // namespace vkinfer::kernels
