#include "runtime/step_profile.h"

#include "base/error.h"

#include <format>
#include <string_view>

namespace vkinfer::runtime {

const char* to_string(StepPhase phase) {
    return phase == StepPhase::prefill ? "prefill" : "decode";
}

const char* to_string(ModelPart part) {
    switch (part) {
    case ModelPart::products:
        return "matrix products";
    case ModelPart::attention:
        return "attention";
    case ModelPart::expert_products:
        return "products of experts";
    case ModelPart::routing:
        return "routing of experts";
    case ModelPart::rest:
        break;
    }
    return "norms, rope, rest";
}

ModelPart part_of(const graph::PlannedDispatch& dispatch) {
    const std::string_view kernel = dispatch.dispatch.shader->kernel;
    const std::string_view label = dispatch.label;
    // Most of what expert_router_shared does is the shared expert.
    if (kernel.starts_with("expert_matvec") || kernel == "expert_gemm" || kernel == "expert_down_one" ||
        kernel.starts_with("expert_router_shared") || label.contains("_shexp")) {
        return ModelPart::expert_products;
    }
    // Choosing, sorting, summing, and rounding activations of experts.
    if (label.contains("ffn_gate_inp") || label.contains("ffn_route") || label.contains("_exps")) {
        return ModelPart::routing;
    }
    if (kernel.starts_with("attention")) return ModelPart::attention;
    if (kernel.starts_with("matvec") || kernel.starts_with("gemm")) return ModelPart::products;
    return ModelPart::rest;
}

std::string without_layer(const std::string& label) {
    if (!label.starts_with("blk.")) return label;
    const size_t end = label.find('.', 4);
    return end == std::string::npos ? label : "blk.*" + label.substr(end);
}

void StepProfile::add_step(StepPhase phase, uint64_t n_tokens, const graph::Plan& plan,
                           std::span<const graph::Cost> costs, std::span<const graph::DispatchTime> times,
                           double wall_ns) {
    if (!is_active) return;
    VKINFER_ASSERT(costs.size() == plan.dispatches.size());
    VKINFER_ASSERT(times.empty() || times.size() == plan.dispatches.size());
    PhaseProfile& sums = phases_[static_cast<size_t>(phase)];
    ++sums.n_steps;
    ++n_steps_;
    sums.n_tokens += n_tokens;
    sums.wall_ns += wall_ns;
    if (options_.keeps_events && !times.empty() && events_.size() + times.size() < kMaxEvents) {
        events_.push_back(
            {.name = std::format("{} of {} token{}", to_string(phase), n_tokens, n_tokens == 1 ? "" : "s"),
             .kernel = {},
             .begin_ns = times.front().begin_ns,
             .end_ns = times.back().end_ns,
             .step = n_steps_ - 1});
    }
    continue_step(phase, plan, costs, times);
}

void StepProfile::continue_step(StepPhase phase, const graph::Plan& plan, std::span<const graph::Cost> costs,
                                std::span<const graph::DispatchTime> times) {
    if (!is_active) return;
    PhaseProfile& sums = phases_[static_cast<size_t>(phase)];
    sums.n_dispatches += plan.dispatches.size();
    sums.n_barriers += plan.n_barriers();
    for (const graph::Cost& cost : costs) {
        sums.bytes += cost.bytes;
        sums.flops += cost.flops;
    }
    if (times.empty()) {
        if (!options_.counts_kernels) return;
        for (size_t i = 0; i < costs.size(); ++i) {
            ProfileSum& sum = sums.by_kernel[std::string(plan.dispatches[i].dispatch.shader->name)];
            ++sum.n_dispatches;
            sum.bytes += costs[i].bytes;
            sum.flops += costs[i].flops;
        }
        return;
    }
    sums.device_ns += times.back().end_ns - times.front().begin_ns;
    const bool keeps = options_.keeps_events && events_.size() + times.size() < kMaxEvents;
    if (options_.keeps_events && !keeps) ++n_dropped_steps_;
    for (size_t i = 0; i < times.size(); ++i) {
        const graph::PlannedDispatch& planned = plan.dispatches[i];
        std::string kernel(planned.dispatch.shader->name);
        const auto add = [&](ProfileSum& sum) {
            ++sum.n_dispatches;
            sum.ns += times[i].end_ns - times[i].begin_ns;
            sum.bytes += costs[i].bytes;
            sum.flops += costs[i].flops;
        };
        add(sums.by_kernel[kernel]);
        add(sums.by_label[without_layer(planned.label)]);
        add(sums.by_part[static_cast<size_t>(part_of(planned))]);
        if (keeps) {
            events_.push_back({.name = planned.label,
                               .kernel = std::move(kernel),
                               .begin_ns = times[i].begin_ns,
                               .end_ns = times[i].end_ns,
                               .bytes = costs[i].bytes,
                               .flops = costs[i].flops,
                               .step = n_steps_ - 1});
        }
    }
}

void StepProfile::clear() {
    phases_ = {};
}

} // namespace vkinfer::runtime
