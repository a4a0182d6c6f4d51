#include "graph/submit_budget.h"

#include <algorithm>
#include <limits>

namespace vkinfer::graph {

namespace {

// The slowest device in sight: an iGPU with two channels of DDR4 and shaders without matrix units that reach a tenth of
// their peak (64 lanes x 2 flops x 1 GHz a unit). A device that is faster corrects this within a few submissions.
constexpr double kFirstBytesPerSecond = 15e9;
constexpr double kFirstFlopsPerUnit = 13e9;
constexpr uint32_t kFewestUnits = 2;
/// A dispatch with its barrier.
constexpr double kDispatchNs = 5000;
/// Shares below this tell nothing: the time is that of waking the device.
constexpr double kShortestNs = 200'000;
constexpr double kTowardsFaster = 0.25;

} // namespace

void KvExtent::add_chunk(uint64_t first_position, uint64_t chunk_tokens, uint64_t group, uint64_t rows_per_tile) {
    // A token sees the keys up to its own, a tile those up to its last token's: half of the chunk on average.
    const uint64_t mean_keys = first_position + (chunk_tokens + 1) / 2;
    const uint64_t chunk_tiles = (chunk_tokens * group + rows_per_tile - 1) / rows_per_tile;
    pairs += chunk_tokens * mean_keys;
    tile_keys += chunk_tiles * std::min(first_position + chunk_tokens, mean_keys + rows_per_tile);
}

Cost cost_of(const kernels::Dispatch& dispatch, const KvExtent& extent) {
    const bool is_attention = dispatch.pair_flops > 0;
    uint64_t pairs = extent.pairs;
    uint64_t tile_keys = extent.tile_keys;
    if (dispatch.window > 0) {
        pairs = std::min(pairs, extent.n_tokens * dispatch.window);
        tile_keys = std::min(tile_keys, extent.n_tiles * (dispatch.window + extent.n_tokens));
    }
    return {.kind = is_attention ? WorkKind::attention : WorkKind::plain,
            .bytes = dispatch.bytes + dispatch.tile_key_bytes * tile_keys,
            .flops = dispatch.flops + dispatch.pair_flops * pairs};
}

void costs_of(const Plan& plan, const KvExtent& extent, std::vector<Cost>& costs) {
    costs.clear();
    for (const PlannedDispatch& planned : plan.dispatches) costs.push_back(cost_of(planned.dispatch, extent));
}

std::vector<uint32_t> cut_pieces(std::span<const double> dispatch_ns, double budget_ns) {
    std::vector<Group> groups;
    group_pieces(dispatch_ns, budget_ns, groups);
    std::vector<uint32_t> ends;
    for (const Group& group : groups) ends.push_back(group.last);
    return ends;
}

void group_pieces(std::span<const double> piece_ns, double budget_ns, std::vector<Group>& groups) {
    groups.clear();
    for (uint32_t i = 0; i < piece_ns.size(); ++i) {
        if (!groups.empty() && (budget_ns <= 0 || groups.back().estimated_ns + piece_ns[i] <= budget_ns)) {
            groups.back().last = i + 1;
            groups.back().estimated_ns += piece_ns[i];
        } else {
            groups.push_back({i, i + 1, piece_ns[i]});
        }
    }
}

RateModel::RateModel(uint32_t compute_units)
    : bytes_per_second_(kFirstBytesPerSecond),
      flops_per_second_(kFirstFlopsPerUnit * std::max(compute_units, kFewestUnits)) {}

double RateModel::estimate_ns(const Cost& cost) const {
    const double bytes_ns = static_cast<double>(cost.bytes) / bytes_per_second_ * 1e9;
    const double flops_ns = static_cast<double>(cost.flops) / flops_per_second_ * 1e9;
    return kDispatchNs + std::max(bytes_ns, flops_ns) * slowness(cost.kind);
}

void RateModel::learn(std::span<const Cost> costs, double measured_ns) {
    double estimated[kWorkKinds] = {};
    for (const Cost& cost : costs) estimated[static_cast<size_t>(cost.kind)] += estimate_ns(cost);
    const double sum = estimated[0] + estimated[1];
    if (sum <= 0 || std::max(sum, measured_ns) < kShortestNs) return;
    const double ratio = measured_ns / sum;
    for (size_t kind = 0; kind < kWorkKinds; ++kind) {
        // The time is shared out by estimate; a kind that is a small part of it learns little.
        const double share = estimated[kind] / sum;
        if (share < 0.1) continue;
        const double weight = ratio > 1 ? std::min(1.0, 2 * share) : kTowardsFaster * share;
        slowness_[kind] = std::clamp(slowness_[kind] * (1 + weight * (ratio - 1)), 1e-4, 1e3);
    }
}

} // namespace vkinfer::graph
