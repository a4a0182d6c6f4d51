#include "graph/arena.h"

#include <algorithm>
#include <numeric>

namespace vkinfer::graph {

uint64_t place_blocks(std::span<ArenaBlock> blocks, uint64_t alignment) {
    std::vector<uint32_t> order(blocks.size());
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::stable_sort(order,
                             [&](uint32_t a, uint32_t b) { return blocks[a].size_bytes > blocks[b].size_bytes; });

    std::vector<uint32_t> placed; // sorted by offset
    uint64_t arena_bytes = 0;
    for (const uint32_t index : order) {
        ArenaBlock& block = blocks[index];
        const uint64_t size = (block.size_bytes + alignment - 1) / alignment * alignment;
        uint64_t offset = 0;
        for (const uint32_t other_index : placed) {
            const ArenaBlock& other = blocks[other_index];
            if (other.last < block.first || block.last < other.first) continue;
            if (offset + size <= other.offset) break;
            offset = std::max(offset, (other.offset + other.size_bytes + alignment - 1) / alignment * alignment);
        }
        block.offset = offset;
        arena_bytes = std::max(arena_bytes, offset + size);
        placed.insert(std::ranges::upper_bound(placed, offset, {}, [&](uint32_t i) { return blocks[i].offset; }),
                      index);
    }
    return arena_bytes;
}

} // namespace vkinfer::graph
