// Cuts long work into submissions that stay far below the kernel driver's watchdog, by estimated time: every dispatch
// carries its bytes and flops, and the rates come from earlier submissions on the same device. Pure arithmetic.
#pragma once

#include "graph/plan.h"

#include <cstdint>
#include <span>
#include <vector>

namespace vkinfer::graph {

/// What kind of rate a dispatch runs at.
enum class WorkKind : uint8_t { plain, attention };
inline constexpr size_t kWorkKinds = 2;

/// What a dispatch has to move and to compute in a given step.
struct Cost {
    WorkKind kind = WorkKind::plain;
    uint64_t bytes = 0;
    uint64_t flops = 0;
};

/// How much K and V a step's attention touches; what of a step's cost a recorded plan cannot know.
struct KvExtent {
    uint64_t n_tokens = 0;
    uint64_t n_tiles = 0;
    uint64_t pairs = 0;     ///< query tokens x keys that they see
    uint64_t tile_keys = 0; ///< attention tiles x keys that they read

    /// Tokens of one sequence from `first_position` on, in tiles of rows_per_tile of their chunk_tokens * group rows.
    void add_chunk(uint64_t first_position, uint64_t chunk_tokens, uint64_t group, uint64_t rows_per_tile);
};

Cost cost_of(const kernels::Dispatch& dispatch, const KvExtent& extent);
/// Of all dispatches of a plan, into a vector whose memory serves every step.
void costs_of(const Plan& plan, const KvExtent& extent, std::vector<Cost>& costs);

/// Where to cut a plan so that no piece is estimated beyond the budget, unless it is a single dispatch: the index
/// behind the last dispatch of each piece.
std::vector<uint32_t> cut_pieces(std::span<const double> dispatch_ns, double budget_ns);

/// Consecutive pieces [first, last) of a plan that go into one submission.
struct Group {
    uint32_t first = 0;
    uint32_t last = 0;
    double estimated_ns = 0;
    bool operator==(const Group&) const = default;
};

/// Groups neighbours as long as their sum stays within the budget; a piece beyond it stands alone. `budget_ns` 0: one
/// group.
void group_pieces(std::span<const double> piece_ns, double budget_ns, std::vector<Group>& groups);

/// Rates of one device, learned from how long submissions really took. They begin low, so that the first submissions
/// are short; a slower result counts at once, a faster one by and by.
class RateModel {
public:
    /// `compute_units` bounds the first guess. Not thread-safe.
    explicit RateModel(uint32_t compute_units);

    double estimate_ns(const Cost& cost) const;
    /// A submission whose dispatches had these costs took that long.
    void learn(std::span<const Cost> costs, double measured_ns);

    double bytes_per_second() const { return bytes_per_second_; }
    double flops_per_second() const { return flops_per_second_; }
    /// Measured over estimated time at those rates.
    double slowness(WorkKind kind) const { return slowness_[static_cast<size_t>(kind)]; }

private:
    double bytes_per_second_;
    double flops_per_second_;
    double slowness_[kWorkKinds] = {1, 1};
};

} // namespace vkinfer::graph
