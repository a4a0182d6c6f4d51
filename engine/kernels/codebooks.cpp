#include "kernels/codebooks.h"

#include "gpu/device.h"
#include "gpu/transfer.h"

namespace vkinfer::kernels {

uint64_t Codebooks::address(gpu::Device& device, format::TensorType type) {
    const format::KernelTable table = format::traits(type).kernel_table;
    if (table == nullptr) return 0;
    const std::span<const uint32_t> words = table();
    for (const Entry& entry : entries_) {
        if (entry.words == words.data()) return entry.buffer.address();
    }
    gpu::Buffer buffer(
        device,
        {.size_bytes = words.size_bytes(), .domain = gpu::Domain::device, .name = "codebook", .own_allocation = true});
    gpu::write_buffer(device, buffer, 0, std::as_bytes(words));
    return entries_.emplace_back(words.data(), std::move(buffer)).buffer.address();
}

} // namespace vkinfer::kernels
