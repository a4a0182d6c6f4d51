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

/// A plan with its command list. Replaying costs one submission and nothing else.
class RecordedPlan {
public:
    /// Binds the arena (at least plan.arena_bytes) and one range per external (empty for those reached by address
    /// only). With `timestamps` every dispatch is timed. Throws Error when the plan has a hazard (a bug of ours), when
    /// a pipeline does not compile, or when memory runs out.
    RecordedPlan(gpu::Device& device, kernels::PipelineStore& pipelines, Plan plan, const gpu::Buffer& arena,
                 std::span<const gpu::BufferRange> externals, bool timestamps = false);

    gpu::Ticket submit() { return device_.submit(commands_); }
    const Plan& plan() const { return plan_; }

    /// Nanoseconds of each dispatch of the last finished submission; empty without timestamps.
    std::vector<double> dispatch_ns();

private:
    gpu::Device& device_;
    Plan plan_;
    gpu::CommandList commands_;
    bool timestamps_ = false;
};

} // namespace vkinfer::graph
