#include "graph/executor.h"

#include "base/error.h"
#include "graph/hazards.h"

#include <algorithm>
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
                           std::span<const gpu::BufferRange> externals, bool timestamps,
                           std::vector<uint32_t> piece_ends)
    : device_(device), plan_(std::move(plan)), piece_ends_(std::move(piece_ends)), timestamps_(timestamps) {
    const auto n_dispatches = static_cast<uint32_t>(plan_.dispatches.size());
    if (piece_ends_.empty()) piece_ends_ = {n_dispatches};
    VKINFER_ASSERT(piece_ends_.back() == n_dispatches);
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
    std::vector<gpu::BufferRange> bindings;
    uint32_t first = 0; // of the piece
    for (uint32_t i = 0; i < n_dispatches; ++i) {
        if (i == first) {
            const uint32_t n_stamps = timestamps_ ? piece_ends_[pieces_.size()] - first + 1 : 0;
            pieces_.emplace_back(device_,
                                 gpu::CommandListOptions{.name = "step", .reusable = true, .n_timestamps = n_stamps});
            if (timestamps_) pieces_.back().timestamp(0);
        }
        gpu::CommandList& commands = pieces_.back();
        const PlannedDispatch& planned = plan_.dispatches[i];
        // A piece begins with a barrier against everything before it.
        if (planned.barrier_before && i > first) commands.barrier(barrier_kinds(plan_, i));
        bindings.clear();
        for (const BindingPlace& place : planned.bindings) bindings.push_back(range(place));
        const gpu::Pipeline& pipeline = pipelines.get(planned.dispatch);
        if (planned.indirect) {
            const gpu::BufferRange arguments = range(*planned.indirect);
            const uint64_t offset =
                planned.indirect->resource == kArena ? arguments.offset : arguments.offset + planned.indirect->offset;
            commands.dispatch_indirect(pipeline, planned.dispatch.push, bindings, *arguments.buffer, offset);
        } else {
            const auto& groups = planned.dispatch.groups;
            commands.dispatch(pipeline, planned.dispatch.push, bindings, groups[0], groups[1], groups[2]);
        }
        if (timestamps_) commands.timestamp(i - first + 1);
        if (i + 1 < piece_ends_[pieces_.size() - 1]) continue;
        commands.end();
        first = i + 1;
    }
}

gpu::Ticket RecordedPlan::submit(uint32_t first, uint32_t last) {
    gpu::Ticket ticket;
    while (first < last) {
        const gpu::CommandList* lists[gpu::Device::kMaxListsPerSubmit];
        uint32_t n = 0;
        while (first < last && n < gpu::Device::kMaxListsPerSubmit) lists[n++] = &pieces_[first++];
        ticket = device_.submit(std::span<const gpu::CommandList* const>(lists, n));
    }
    return ticket;
}

void RecordedPlan::append_to(std::vector<const gpu::CommandList*>& lists) const {
    for (const gpu::CommandList& piece : pieces_) lists.push_back(&piece);
}

gpu::Ticket submit_lists(gpu::Device& device, std::span<const gpu::CommandList* const> lists) {
    gpu::Ticket ticket;
    while (!lists.empty()) {
        const size_t n = std::min(lists.size(), gpu::Device::kMaxListsPerSubmit);
        ticket = device.submit(lists.first(n));
        lists = lists.subspan(n);
    }
    return ticket;
}

std::vector<DispatchTime> RecordedPlan::dispatch_times() const {
    if (!timestamps_) return {};
    std::vector<DispatchTime> times;
    for (const gpu::CommandList& piece : pieces_) {
        const std::vector<double> stamps = piece.timestamps_ns();
        for (size_t i = 1; i < stamps.size(); ++i) times.push_back({stamps[i - 1], stamps[i]});
    }
    return times;
}

} // namespace vkinfer::graph
