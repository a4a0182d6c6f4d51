#include "gpu/block_space.h"

#include "base/error.h"

#include <algorithm>

namespace vkinfer::gpu {

BlockSpace::BlockSpace(uint64_t size_bytes) : size_bytes_(size_bytes), free_{{0, size_bytes}} {}

std::optional<uint64_t> BlockSpace::take(uint64_t size_bytes, uint64_t alignment) {
    size_t best = free_.size();
    for (size_t i = 0; i < free_.size(); ++i) {
        const uint64_t start = (free_[i].offset + alignment - 1) & ~(alignment - 1);
        const uint64_t lost = start - free_[i].offset;
        if (free_[i].size < lost || free_[i].size - lost < size_bytes) continue;
        if (best == free_.size() || free_[i].size < free_[best].size) best = i;
    }
    if (best == free_.size()) return std::nullopt;
    const Range range = free_[best];
    const uint64_t start = (range.offset + alignment - 1) & ~(alignment - 1);
    const Range before{range.offset, start - range.offset};
    const Range after{start + size_bytes, range.offset + range.size - start - size_bytes};
    auto position = free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(best));
    if (after.size > 0) position = free_.insert(position, after);
    if (before.size > 0) free_.insert(position, before);
    return start;
}

void BlockSpace::release(uint64_t offset, uint64_t size_bytes) {
    auto next = std::ranges::lower_bound(free_, offset, {}, &Range::offset);
    VKINFER_ASSERT(offset + size_bytes <= size_bytes_);
    VKINFER_ASSERT(next == free_.end() || offset + size_bytes <= next->offset);
    const bool joins_next = next != free_.end() && next->offset == offset + size_bytes;
    if (next != free_.begin()) {
        const auto previous = next - 1;
        VKINFER_ASSERT(previous->offset + previous->size <= offset);
        if (previous->offset + previous->size == offset) {
            previous->size += size_bytes + (joins_next ? next->size : 0);
            if (joins_next) free_.erase(next);
            return;
        }
    }
    if (joins_next) {
        next->offset = offset;
        next->size += size_bytes;
    } else {
        free_.insert(next, {offset, size_bytes});
    }
}

uint64_t BlockSpace::free_bytes() const {
    uint64_t sum = 0;
    for (const Range& range : free_) sum += range.size;
    return sum;
}

} // namespace vkinfer::gpu
