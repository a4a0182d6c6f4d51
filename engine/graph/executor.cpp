#include "graph/executor.h"

#include "base/error.h"
#include "graph/hazards.h"

#include <format>

namespace vkinfer::graph {

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
        if (planned.barrier_before) commands_.barrier(gpu::Barrier::compute_to_compute);
        bindings.clear();
        for (const BindingPlace& place : planned.bindings) bindings.push_back(range(place));
        const auto& groups = planned.dispatch.groups;
        commands_.dispatch(pipelines.get(planned.dispatch), planned.dispatch.push, bindings, groups[0], groups[1],
                           groups[2]);
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
