#include "graph/executor.h"

#include "base/error.h"
#include "graph/hazards.h"

#include <format>

namespace vkinfer::graph {

namespace {

/// What the barrier before dispatch `first` has to cover: the dispatches up to the next barrier may read group counts.
gpu::Barrier barrier_kinds(const Plan& plan, size_t first) {
    for (size_t i = first; i < plan.dispatches.size() && (i == first || !plan.dispatches[i].barrier_before); ++i) {
        if (plan.dispatches[i].indirect) return gpu::Barrier::compute_to_compute | gpu::Barrier::compute_to_indirect;
    }
    return gpu::Barrier::compute_to_compute;
}

} // namespace

RecordedPlan::RecordedPlan(gpu::Device& device, kernels::PipelineStore& pipelines, Plan plan, const gpu::Buffer& arena,
                           std::span<const gpu::BufferRange> externals, bool timestamps)
    : device_(device), plan_(std::move(plan)),
      commands_(device, {.name = "step",
                         .reusable = true,
                         .n_timestamps = timestamps ? static_cast<uint32_t>(plan_.dispatches.size() + 1) : 0}),
      timestamps_(timestamps) {
    VKINFER_ASSERT(externals.size() == plan_.externals.size());
    if (const auto hazards = find_hazards(plan_); !hazards.empty()) {
        throw Error(ErrorKind::internal, describe(hazards.front(), plan_));
    }
    const auto range = [&](const BindingPlace& place) {
        if (place.resource == kArena) return gpu::BufferRange(arena, place.offset, place.size);
        const gpu::BufferRange& external = externals[place.resource - 1];
        VKINFER_ASSERT(external.buffer != nullptr); // bound by a descriptor, so it cannot be address-only
        return external;
    };
    if (timestamps_) commands_.timestamp(0);
    std::vector<gpu::BufferRange> bindings;
    for (uint32_t i = 0; i < plan_.dispatches.size(); ++i) {
        const PlannedDispatch& planned = plan_.dispatches[i];
        if (planned.barrier_before) commands_.barrier(barrier_kinds(plan_, i));
        bindings.clear();
        for (const BindingPlace& place : planned.bindings) bindings.push_back(range(place));
        const gpu::Pipeline& pipeline = pipelines.get(planned.dispatch);
        if (planned.indirect) {
            const gpu::BufferRange arguments = range(*planned.indirect);
            const uint64_t offset =
                planned.indirect->resource == kArena ? arguments.offset : arguments.offset + planned.indirect->offset;
            commands_.dispatch_indirect(pipeline, planned.dispatch.push, bindings, *arguments.buffer, offset);
        } else {
            const auto& groups = planned.dispatch.groups;
            commands_.dispatch(pipeline, planned.dispatch.push, bindings, groups[0], groups[1], groups[2]);
        }
        if (timestamps_) commands_.timestamp(i + 1);
    }
    commands_.end();
}

std::vector<double> RecordedPlan::dispatch_ns() {
    if (!timestamps_) return {};
    const std::vector<double> stamps = commands_.timestamps_ns();
    std::vector<double> durations;
    for (size_t i = 1; i < stamps.size(); ++i) durations.push_back(stamps[i] - stamps[i - 1]);
    return durations;
}

} // namespace vkinfer::graph
