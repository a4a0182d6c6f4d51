// Barriers between dispatches, and the checker that proves a plan needs no more. The two share no code on purpose: no
// driver that this project is tested on shows a missing barrier.
#pragma once

#include "graph/plan.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vkinfer::graph {

/// Sets barrier_before where a dispatch touches what an earlier one since the last barrier wrote, or writes what one
/// read.
void place_barriers(Plan& plan);

/// Two dispatches without a barrier between them of which one writes what the other touches.
struct Hazard {
    uint32_t first = 0;
    uint32_t second = 0;
    MemoryAccess first_access;
    MemoryAccess second_access;
};

/// All pairs of dispatches that need an order and have none; empty for a correct plan.
std::vector<Hazard> find_hazards(const Plan& plan);

/// "read after write: blk.0.ffn_down reads arena [0, 4096) that blk.0.ffn_up wrote": names both and the bytes.
std::string describe(const Hazard& hazard, const Plan& plan);

} // namespace vkinfer::graph
