#include "runtime/predict.h"

#include "base/error.h"
#include "graph/plan.h"
#include "graph/submit_budget.h"
#include "kernels.gen.h"
#include "runtime/kernel_counts.h"
#include "runtime/step_profile.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <format>
#include <optional>
#include <utility>

namespace vkinfer::runtime {

namespace {

/// What decides a dispatch's arithmetic besides its flops.
struct StepContext {
    const PlannedModel& planned;
    const DeviceRates& rates;
    models::StepShape shape;
    std::string cache_type; ///< of K, as kernel_counts.h names it
};

struct Arithmetic {
    double seconds = 0;
    Bound bound = Bound::rate;
};

/// Pieces of `size` rows that the rows of all experts make: every token takes the shared ones and n_used of the others
/// by chance.
double expert_pieces(const models::ExpertConfig& experts, uint32_t n_shared, uint32_t n_tokens, uint32_t size) {
    const double share = double(experts.n_used) / experts.n;
    const double whole = std::ceil(double(n_tokens) / size);
    if (share >= 1) return (n_shared + experts.n) * whole;
    double pieces = 0;
    for (uint32_t rows = 1; rows <= n_tokens; ++rows) { // of an expert: binomially distributed
        const double log_chance = std::lgamma(n_tokens + 1.0) - std::lgamma(rows + 1.0) -
                                  std::lgamma(n_tokens - rows + 1.0) + rows * std::log(share) +
                                  (n_tokens - rows) * std::log1p(-share);
        pieces += std::exp(log_chance) * std::ceil(double(rows) / size);
    }
    return n_shared * whole + experts.n * pieces;
}

/// What a dispatch is looked up as, its groups, and its flops in the unit of the table.
struct CountedWork {
    std::string name;
    double groups = 0;
    double flops = 0;
};

CountedWork work_of(const kernels::Dispatch& dispatch, double flops, const StepContext& step) {
    CountedWork work{.name = std::string(dispatch.shader->name),
                     .groups = double(dispatch.groups[0]) * dispatch.groups[1] * dispatch.groups[2],
                     .flops = flops};
    if (dispatch.pair_flops > 0) work.name += " " + step.cache_type;
    if (!dispatch.weights.empty()) { // counted for one type: most rows are of the first
        const kernels::WeightLayout& first = *dispatch.weights[0];
        const bool int8 = first.has_int8 && step.planned.model.policy.int8_activations;
        const std::string_view kernel = dispatch.shader->kernel;
        work.name = dispatch.shader->coopmat ? std::format("gemm_coopmat.{}", first.shader_name)
                                             : std::format("{}.{}.{}", kernel.substr(0, kernel.rfind("_mixed")),
                                                           first.shader_name, int8 ? "q8" : "f32");
    }
    if (dispatch.shader->kernel != "expert_gemm") return work;
    // Whole fragments are multiplied, and there are as many groups as routing makes tiles.
    using Spec = kernels::shader::ExpertGemmSpec;
    const auto spec = [&](size_t offset) { return dispatch.specialization[offset / sizeof(uint32_t)]; };
    const uint32_t tile_rows = spec(offsetof(Spec, tile_n)), fragment = spec(offsetof(Spec, frag_n));
    const models::ExpertConfig& experts = step.planned.model.config.experts;
    const uint32_t n_tokens = step.shape.n_tokens, n_used = spec(offsetof(Spec, n_used));
    const uint32_t n_shared = n_used - std::min(n_used, experts.n_used);
    work.name += std::format(" {}", tile_rows);
    work.groups = dispatch.groups[0] * expert_pieces(experts, n_shared, n_tokens, tile_rows);
    work.flops *= expert_pieces(experts, n_shared, n_tokens, fragment) * fragment / (double(n_tokens) * n_used);
    return work;
}

/// By the clocks that the rig counted for the kernel; nothing where it has none.
std::optional<Arithmetic> counted(const kernels::Dispatch& dispatch, double flops, const StepContext& step) {
    const DeviceRates& rates = step.rates;
    if (rates.chip == nullptr || flops == 0) return std::nullopt;
    const CountedWork work = work_of(dispatch, flops, step);
    const KernelCounts* counts = find_kernel_counts(rates.chip, step.shape.n_tokens == 1, work.name);
    if (counts == nullptr) return std::nullopt;
    const double waves = work.groups * counts->group_waves, kiloflops = work.flops / 1000;
    const double per_simd = std::ceil(waves / (2.0 * rates.compute_units));
    const double busy = std::min<double>(rates.compute_units, work.groups);
    const std::pair<double, Bound> terms[] = {
        {counts->simd * kiloflops / waves * per_simd, Bound::vector},
        {counts->lds * kiloflops / busy, Bound::lds},
        {counts->lines * kiloflops / busy, Bound::cache},
        {counts->wave * kiloflops / waves * std::ceil(per_simd / counts->occupancy), Bound::latency}};
    const auto& [clocks, bound] = *std::ranges::max_element(terms, {}, &std::pair<double, Bound>::first);
    return Arithmetic{clocks / rates.clock_hz, bound};
}

double rated_seconds(const graph::PlannedDispatch& planned, const graph::Cost& cost, const StepContext& step) {
    const DeviceRates& rates = step.rates;
    const kernels::Dispatch& dispatch = planned.dispatch;
    const auto flops = static_cast<double>(cost.flops);
    if (cost.kind == graph::WorkKind::attention) {
        // Few query rows run on vector instructions, whatever the device has.
        const bool is_wide = dispatch.shader->coopmat || rates.matrix_flops == 0;
        return flops / (is_wide ? rates.attention_flops : rates.alu_flops);
    }
    if (dispatch.shader->coopmat) return flops / rates.matrix_flops;
    if (flops == 0) return 0;
    // A mat-vec kernel decodes a weight once for a tile of columns.
    const uint32_t most_columns = step.planned.model.policy.matvec_max_columns;
    const bool is_expert = dispatch.shader->kernel.starts_with("expert_");
    double n_columns = planned.label == "output" ? step.shape.n_outputs : step.shape.n_tokens;
    double n_tiles = std::max(1.0, n_columns / most_columns);
    if (is_expert) {
        const models::ExpertConfig& experts = step.planned.model.config.experts;
        n_columns *= experts.n_used;
        n_tiles = n_columns / most_columns + std::min<double>(n_columns, experts.n) * 0.5;
        if (step.shape.n_tokens == 1) n_tiles = experts.n_used;
    }
    const double decoded = flops / 2 / n_columns * n_tiles;
    return flops / rates.alu_flops + decoded / rates.weights;
}

} // namespace

const char* to_string(Bound bound) {
    switch (bound) {
    case Bound::memory:
        return "memory";
    case Bound::vector:
        return "vector and matrix clocks";
    case Bound::lds:
        return "LDS clocks";
    case Bound::cache:
        return "cache lines";
    case Bound::latency:
        return "latency";
    case Bound::rate:
        break;
    }
    return "arithmetic";
}

StepEstimate& StepEstimate::operator+=(const StepEstimate& other) {
    n_tokens += other.n_tokens;
    bytes += other.bytes;
    flops += other.flops;
    n_dispatches += other.n_dispatches;
    n_barriers += other.n_barriers;
    memory_ns += other.memory_ns;
    arithmetic_ns += other.arithmetic_ns;
    overhead_ns += other.overhead_ns;
    for (const auto& [label, op] : other.ops) {
        OpEstimate& sum = ops[label];
        sum.n_dispatches += op.n_dispatches;
        sum.ns += op.ns;
        sum.bytes += op.bytes;
        sum.flops += op.flops;
        if (op.longest_ns < sum.longest_ns) continue;
        sum.longest_ns = op.longest_ns;
        sum.bound = op.bound;
        sum.kernel = op.kernel;
    }
    return *this;
}

StepEstimate predict_step(const PlannedModel& planned, const DeviceRates& rates, uint32_t n_tokens, uint32_t depth) {
    const ModelMemory& model = planned.model;
    if (model.is_estimate()) {
        throw Error(ErrorKind::unsupported, std::format("{}: there is no plan to predict from.", model.file_name),
                    model.estimate_reason);
    }
    const StepShapes shapes = step_shapes(model, planned.wish, planned.decision.type_k, planned.decision.type_v);
    const auto max_batch = static_cast<uint32_t>(planned.wish.max_batch());
    const uint32_t rows = shapes.rows_per_tile(StepShapes::bucket(n_tokens, max_batch));
    const models::StepShape shape =
        n_tokens == 1 ? shapes.decode_shape(1, 1, depth + 1)
                      : shapes.shape_for(n_tokens, 1, (n_tokens * shapes.group() + rows - 1) / rows, depth + n_tokens);
    const models::LoadedModel weights = place_weights_nowhere(model.weights);
    models::KvConfig kv{
        .type_k = planned.decision.type_k, .type_v = planned.decision.type_v, .page_tokens = kPageTokens};
    kv.max_pages = planned.decision.list.step_layout.max_pages;
    kv.layers.resize(model.config.n_layers, {1, 1});
    kv.layer_bytes = 1;
    const graph::Plan plan = graph::compile(
        model.architecture->build({.config = model.config, .weights = weights, .kv = kv, .shape = shape}),
        model.policy);

    StepEstimate result{.n_tokens = n_tokens,
                        .depth = depth,
                        .n_dispatches = static_cast<uint32_t>(plan.dispatches.size()),
                        .n_barriers = plan.n_barriers()};
    graph::KvExtent extent{.n_tokens = n_tokens,
                           .n_tiles =
                               (uint64_t{n_tokens} * shapes.group() + shape.rows_per_tile - 1) / shape.rows_per_tile};
    extent.add_chunk(depth, n_tokens, shapes.group(), shape.rows_per_tile);
    const StepContext step{planned, rates, shape, std::string(format::traits(planned.decision.type_k).name)};
    for (const graph::PlannedDispatch& dispatch : plan.dispatches) {
        const graph::Cost cost = graph::cost_of(dispatch.dispatch, extent);
        result.bytes += cost.bytes;
        result.flops += cost.flops;
        const double memory = static_cast<double>(cost.bytes) / rates.bytes;
        const Arithmetic arithmetic = counted(dispatch.dispatch, static_cast<double>(cost.flops), step)
                                          .value_or(Arithmetic{rated_seconds(dispatch, cost, step), Bound::rate});
        const bool is_memory = memory >= arithmetic.seconds;
        const double ns = 1e9 * std::max(memory, arithmetic.seconds);
        (is_memory ? result.memory_ns : result.arithmetic_ns) += ns;
        OpEstimate& op = result.ops[without_layer(dispatch.label)];
        ++op.n_dispatches;
        op.ns += ns;
        op.bytes += cost.bytes;
        op.flops += cost.flops;
        if (ns < op.longest_ns) continue;
        op.longest_ns = ns;
        op.bound = is_memory ? Bound::memory : arithmetic.bound;
        op.kernel = dispatch.dispatch.shader->name;
    }
    result.overhead_ns = rates.step_ns + result.n_dispatches * rates.dispatch_ns + result.n_barriers * rates.barrier_ns;
    return result;
}

StepEstimate predict_prompt(const PlannedModel& planned, const DeviceRates& rates, uint32_t n_tokens) {
    const auto chunk = static_cast<uint32_t>(planned.wish.n_ubatch);
    StepEstimate sum;
    for (uint32_t depth = 0; depth < n_tokens; depth += chunk) {
        sum += predict_step(planned, rates, std::min(chunk, n_tokens - depth), depth);
    }
    return sum;
}

} // namespace vkinfer::runtime
