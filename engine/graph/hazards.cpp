#include "graph/hazards.h"

#include <algorithm>
#include <format>

namespace vkinfer::graph {

void place_barriers(Plan& plan) {
    std::vector<MemoryAccess> open; // accesses since the last barrier
    for (PlannedDispatch& dispatch : plan.dispatches) {
        dispatch.barrier_before = std::ranges::any_of(dispatch.accesses, [&](const MemoryAccess& access) {
            return std::ranges::any_of(open, [&](const MemoryAccess& earlier) { return conflict(earlier, access); });
        });
        if (dispatch.barrier_before) open.clear();
        open.insert(open.end(), dispatch.accesses.begin(), dispatch.accesses.end());
    }
}

std::vector<Hazard> find_hazards(const Plan& plan) {
    std::vector<Hazard> hazards;
    for (uint32_t second = 0; second < plan.dispatches.size(); ++second) {
        // A barrier orders everything before it with everything after it: stop at the first one met going back.
        for (uint32_t first = second; first > 0 && !plan.dispatches[first].barrier_before;) {
            --first;
            for (const MemoryAccess& a : plan.dispatches[first].accesses) {
                for (const MemoryAccess& b : plan.dispatches[second].accesses) {
                    const bool overlap =
                        a.resource == b.resource && std::max(a.begin, b.begin) < std::min(a.end, b.end);
                    if (overlap && (a.is_write || b.is_write)) hazards.push_back({first, second, a, b});
                }
            }
        }
    }
    return hazards;
}

std::string describe(const Hazard& hazard, const Plan& plan) {
    const char* kind = hazard.first_access.is_write
                           ? (hazard.second_access.is_read ? "read after write" : "write after write")
                           : "write after read";
    const ResourceId resource = hazard.second_access.resource;
    return std::format("{}: dispatch {} ({}) and dispatch {} ({}) touch {} [{}, {}) without a barrier between them",
                       kind, hazard.first, plan.dispatches[hazard.first].label, hazard.second,
                       plan.dispatches[hazard.second].label,
                       resource == kArena ? "the arena" : plan.externals[resource - 1].name,
                       std::max(hazard.first_access.begin, hazard.second_access.begin),
                       std::min(hazard.first_access.end, hazard.second_access.end));
}

} // namespace vkinfer::graph
