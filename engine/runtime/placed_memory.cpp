#include "runtime/placed_memory.h"

#include "base/error.h"

#include <format>
#include <utility>

namespace vkinfer::runtime {

PlacedMemory::PlacedMemory(gpu::Device& device, const MemoryDecision& decision)
    : places_(decision.plan.places), splits_(decision.plan.splits) {
    for (const memory::Request& request : decision.list.requests) sizes_.push_back(request.size_bytes);
    for (const memory::Split& split : splits_) sizes_[split.request] = split.near_bytes;
    for (const memory::Allocation& allocation : decision.plan.allocations) {
        gpu::Buffer& buffer = buffers_.emplace_back();
        if (allocation.is_reserve) continue;
        buffer = gpu::Buffer(device, {.size_bytes = allocation.size_bytes,
                                      .domain = allocation.domain,
                                      .name = std::format("{} {}", to_string(allocation.purpose), buffers_.size() - 1),
                                      .memory_type = allocation.memory_type,
                                      .own_allocation = true,
                                      .is_copied = allocation.purpose == memory::Purpose::staging});
    }
}

gpu::BufferRange PlacedMemory::range(size_t request) const {
    const memory::Place& place = places_[request];
    return {buffers_[place.allocation], place.offset, sizes_[request]};
}

gpu::BufferRange PlacedMemory::far_range(size_t split) const {
    const memory::Place& place = splits_[split].far;
    return {buffers_[place.allocation], place.offset, splits_[split].far_bytes};
}

uint64_t PlacedMemory::address(size_t request) const {
    const memory::Place& place = places_[request];
    return buffers_[place.allocation].address() + place.offset;
}

gpu::Buffer PlacedMemory::take(size_t request) {
    VKINFER_ASSERT(places_[request].offset == 0);
    return std::exchange(buffers_[places_[request].allocation], gpu::Buffer());
}

} // namespace vkinfer::runtime
