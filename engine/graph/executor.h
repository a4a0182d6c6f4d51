// Records a plan once and replays it.
#pragma once

#include "gpu/buffer.h"
#include "gpu/command_list.h"
#include "gpu/device.h"
#include "graph/plan.h"
#include "kernels/pipeline_store.h"

#include <span>
#include <vector>

namespace vkinfer::graph {

/// On the device's clock, from an arbitrary start.
struct DispatchTime {
    double begin_ns = 0;
    double end_ns = 0;
};

/// A plan with its command lists. Replaying costs one submission, or one per group of pieces, and nothing else.
class RecordedPlan {
public:
    /// Binds the arena (at least plan.arena_bytes) and one range per external (empty for those reached by address
    /// only). With `timestamps` every dispatch is timed. Throws Error when the plan has a hazard (a bug of ours), when
    /// a pipeline does not compile, or when memory runs out. `piece_ends`: where the plan may be cut into submissions
    /// (submit_budget.h); empty: nowhere.
    RecordedPlan(gpu::Device& device, kernels::PipelineStore& pipelines, Plan plan, const gpu::Buffer& arena,
                 std::span<const gpu::BufferRange> externals, bool timestamps = false,
                 std::vector<uint32_t> piece_ends = {});

    /// All of it; returns the last ticket.
    gpu::Ticket submit() { return submit(0, n_pieces()); }
    /// Pieces [first, last), in one submission as far as the queue takes so many.
    gpu::Ticket submit(uint32_t first, uint32_t last);
    /// All of it, for a submission together with other plans (submit_lists).
    void append_to(std::vector<const gpu::CommandList*>& lists) const;
    uint32_t n_pieces() const { return static_cast<uint32_t>(pieces_.size()); }
    /// Index behind the last dispatch of each piece.
    std::span<const uint32_t> piece_ends() const { return piece_ends_; }
    const Plan& plan() const { return plan_; }

    /// When each dispatch ran, of the last finished submission of each piece; empty without timestamps. A dispatch
    /// begins where the one before it ended: work of neighbours that overlaps counts for the later one.
    std::vector<DispatchTime> dispatch_times() const;

private:
    gpu::Device& device_;
    Plan plan_;
    std::vector<gpu::CommandList> pieces_;
    std::vector<uint32_t> piece_ends_;
    bool timestamps_ = false;
};

/// Submits recorded lists in as few submissions as the queue takes; returns the last ticket.
gpu::Ticket submit_lists(gpu::Device& device, std::span<const gpu::CommandList* const> lists);

} // namespace vkinfer::graph
