// Places blocks with lifetimes into one arena so that blocks that live at the same time never overlap.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace vkinfer::graph {

struct ArenaBlock {
    uint64_t size_bytes = 0;
    uint32_t first = 0;  ///< index of the first dispatch that touches it
    uint32_t last = 0;   ///< index of the last one
    uint64_t offset = 0; ///< result
};

/// Sets the offsets, multiples of `alignment`; returns the size of the arena. Largest blocks first, each at the lowest
/// gap among the blocks alive with it (greedy by size; Pisarchyk and Lee 2020, section 4.2).
uint64_t place_blocks(std::span<ArenaBlock> blocks, uint64_t alignment);

} // namespace vkinfer::graph
