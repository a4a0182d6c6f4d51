// Mixture of experts: how many rows share a tile, which kernel takes the products, and when group counts come from the
// GPU.
#include "kernels.gen.h"
#include "kernels/lowering.h"

#include <algorithm>
#include <format>
#include <optional>

namespace vkinfer::kernels {

bool experts_are_gemms(const ExpertShape& shape, const Policy& policy) {
    // Experts have few columns each for long: a mat-vec reads the weights of its tile once.
    return policy.coopmat && shape.n_tokens >= policy.coopmat_min_columns;
}

namespace {

/// Steps up to this many tokens are routed and sorted by one workgroup.
constexpr uint32_t kOneGroupTokens = 32;
/// Up to this many tokens the group counts are a bound, and workgroups beyond the last tile leave at once.
constexpr uint32_t kDirectTokens = 8;
/// Steps of at most this many tokens add up in the workgroup of the down product that finishes last: it has few rows.
constexpr uint32_t kSumInProductTokens = kOneGroupTokens;
/// Bytes of the tile list before the group counts of ExpertHidden and of ExpertOutput.
constexpr uint64_t kHiddenCounts = 16, kOutputCounts = 32;

/// Rows of x that share a tile, the same for both products.
uint32_t tile_rows(const ExpertShape& shape, const Policy& policy) {
    const uint32_t expected =
        ceil_div(shape.n_tokens * (shape.n_used - shape.n_shared), shape.n_experts - shape.n_shared);
    if (experts_are_gemms(shape, policy)) {
        // As many as an expert is likely to get: a second tile reads the weights again, which costs more than the dead
        // rows of a tall one, which are masked.
        const uint32_t frag = policy.tiles.frag_n;
        return expected <= frag / 2 ? frag : expected <= frag + frag / 2 ? 2 * frag : 4 * frag;
    }
    // A second tile would read the weights again, and dead rows cost hardly more than their registers.
    uint32_t columns = 1;
    while (columns < shape.n_tokens && columns < policy.matvec_max_columns) columns *= 2;
    return columns;
}

/// A wave spans all columns of the tile and as many rows as registers allow. Gate and up of different types are cut
/// like those of one product, since routing counts groups for both.
CoopmatTiles gemm_tiles(const ExpertShape& shape, const Policy& policy, bool is_gated) {
    CoopmatTiles tiles = policy.tiles;
    const uint32_t waves = policy.is_cpu ? 1 : 4;
    tiles.tile_n = tiles.wave_n = tile_rows(shape, policy);
    const uint32_t n_accumulators = policy.is_cpu ? 4 : 8; // a CPU's compiler unrolls each
    const uint32_t frags_m = std::clamp(n_accumulators / (tiles.wave_n / tiles.frag_n) / (is_gated ? 2 : 1), 1u, 2u);
    tiles.wave_m = tiles.frag_m * frags_m;
    tiles.tile_m = tiles.wave_m * waves;
    return tiles;
}

/// Output rows of a workgroup of a product.
uint32_t group_rows(const ExpertShape& shape, const Policy& policy, bool is_gated) {
    if (experts_are_gemms(shape, policy)) return gemm_tiles(shape, policy, is_gated).tile_m;
    return policy.matvec_lanes * policy.matvec_rows_per_lane;
}

uint32_t max_tiles(const ExpertShape& shape, const Policy& policy) {
    if (shape.n_tokens == 1) return shape.n_used;
    return std::min(shape.n_experts, shape.n_slots()) + shape.n_slots() / tile_rows(shape, policy);
}

struct Product {
    const ExpertShape& shape;
    ExpertWeight weight;
    Activation activation = Activation::none;
    bool takes_tokens = false;
    bool x_is_normed = false;
    float eps = 0;
    uint32_t n_out = 0;
    uint32_t tiles = 0, slots = 0, x = 0, y = 0; ///< operands
    bool x_is_half = false, y_is_half = false;
    /// The weighted sum as part of the down product.
    struct Sum {
        uint64_t next_norm = 0;
        uint32_t counts = 0, choices = 0, residual = 0, shared = 0, y = 0, normed = 0; ///< operands
    };
    std::optional<Sum> sum;
};

/// Every slot once; experts that no slot chooses are not read.
void set_cost(Dispatch& dispatch, const Product& p) {
    const ExpertShape& shape = p.shape;
    const Weight& weight = p.weight.weight;
    const WeightLayout& layout = *find_weight_layout(weight.type);
    const uint64_t rows = uint64_t{weight.n_rows} / (p.weight.far != 0 ? p.weight.n_near : shape.n_experts);
    const uint64_t read = std::min(shape.n_experts, shape.n_slots());
    dispatch.bytes =
        read * (weight_code_bytes(layout, rows, weight.n_cols) + weight_scale_bytes(layout, rows, weight.n_cols)) +
        shape.n_slots() * ((p.x_is_half ? 2 : 4) * uint64_t{weight.n_cols} + (p.y_is_half ? 2 : 4) * uint64_t{p.n_out});
    dispatch.flops = uint64_t{2} * rows * weight.n_cols * shape.n_slots();
}

void set_groups(Dispatch& dispatch, const Product& p, const Policy& policy) {
    const bool is_gated = p.takes_tokens;
    dispatch.groups = {ceil_div(p.n_out, group_rows(p.shape, policy, is_gated)), max_tiles(p.shape, policy), 1};
    if (p.shape.n_tokens > kDirectTokens) dispatch.indirect = {p.tiles, is_gated ? kHiddenCounts : kOutputCounts};
}

bool sums_in_product(const ExpertShape& shape, const Policy& policy) {
    return shape.n_tokens <= kSumInProductTokens && !experts_are_gemms(shape, policy);
}

bool uses_int8(const Product& p, const Policy& policy) {
    return policy.int8_activations && !experts_are_gemms(p.shape, policy) &&
           find_weight_layout(p.weight.weight.type)->has_int8;
}

uint32_t splits_of(const Weight& weight, const Policy& policy) {
    return std::min(policy.matvec_splits, weight.n_blocks());
}

Dispatch product(const Product& p, const Policy& policy) {
    const Weight& weight = p.weight.weight;
    const std::string_view type = find_weight_layout(weight.type)->shader_name;
    const bool is_gated = p.takes_tokens;
    const bool int8 = uses_int8(p, policy);
    Dispatch dispatch;
    if (experts_are_gemms(p.shape, policy)) {
        const CoopmatTiles tiles = gemm_tiles(p.shape, policy, is_gated);
        dispatch.shader = shader_of(std::format("expert_gemm.{}", type));
        auto spec = coopmat_spec<shader::ExpertGemmSpec>(tiles, weight, policy);
        spec.n_used = p.shape.n_used;
        spec.takes_tokens = p.takes_tokens;
        spec.activation = static_cast<uint32_t>(p.activation);
        spec.has_bias = p.weight.bias != 0;
        spec.is_split = p.weight.far != 0;
        spec.x_is_half = p.x_is_half;
        spec.y_is_half = p.y_is_half;
        dispatch.specialization = spec_words(spec);
        dispatch.subgroup_size = policy.require_subgroup_size ? tiles.subgroup_size : 0;
        dispatch.push = push_bytes(shader::ExpertGemmPush{.codes = weight.codes,
                                                          .scales = weight.scales,
                                                          .table = weight.table,
                                                          .row_scales = weight.row_scales,
                                                          .bias = p.weight.bias,
                                                          .up_bias = p.weight.up_bias,
                                                          .far = p.weight.far,
                                                          .n_rows = p.n_out,
                                                          .n_blocks = weight.n_blocks(),
                                                          .n_near = p.weight.n_near,
                                                          .expert_strips = p.weight.expert_strips,
                                                          .up_strips = p.weight.up_strips,
                                                          .x_stride = weight.n_cols,
                                                          .y_stride = p.n_out},
                                   shader::kExpertGemmPushBytes);
        dispatch.bindings = {p.tiles, p.slots, p.x, p.y};
    } else {
        VKINFER_ASSERT(!p.x_is_half && !p.y_is_half);
        const uint32_t normed_cols = p.sum ? p.n_out : weight.n_cols; // of the rows that it makes, or else takes
        const Product::Sum sum = p.sum.value_or(Product::Sum{});
        dispatch.shader = shader_of(std::format("expert_matvec.{}.{}", type, int8 ? "q8" : "f32"));
        dispatch.specialization =
            spec_words(shader::ExpertMatvecSpec{.local_size = policy.matvec_lanes * splits_of(weight, policy),
                                                .lanes = policy.matvec_lanes,
                                                .rows_per_lane = policy.matvec_rows_per_lane,
                                                .n_columns = tile_rows(p.shape, policy),
                                                .n_used = p.shape.n_used,
                                                .takes_tokens = p.takes_tokens,
                                                .activation = static_cast<uint32_t>(p.activation),
                                                .has_bias = p.weight.bias != 0,
                                                .is_normed = p.x_is_normed,
                                                .sums = p.sum.has_value(),
                                                .has_shared_gate = p.sum && p.shape.has_outer_gate(),
                                                .writes_normed = p.sum && p.sum->next_norm != 0,
                                                .is_split = p.weight.far != 0});
        dispatch.subgroup_size = policy.require_subgroup_size ? policy.subgroup_size : 0;
        dispatch.push =
            push_bytes(shader::ExpertMatvecPush{.codes = weight.codes,
                                                .scales = weight.scales,
                                                .table = weight.table,
                                                .row_scales = weight.row_scales,
                                                .bias = p.weight.bias,
                                                .up_bias = p.weight.up_bias,
                                                .norm_weight = sum.next_norm,
                                                .far = p.weight.far,
                                                .n_rows = p.n_out,
                                                .n_blocks = weight.n_blocks(),
                                                .n_near = p.weight.n_near,
                                                .expert_strips = p.weight.expert_strips,
                                                .up_strips = p.weight.up_strips,
                                                .x_stride = weight.n_cols,
                                                .y_stride = p.n_out,
                                                .eps = p.eps,
                                                .parts_at = p.shape.n_tokens * normed_cols,
                                                .n_parts = NormedRows::n_parts(normed_cols, policy),
                                                .arrivals_at = static_cast<uint32_t>(p.shape.arrivals_offset() / 4)},
                       shader::kExpertMatvecPushBytes);
        // What only the sum touches stands for y in other products, which no dispatch beside this one touches.
        dispatch.bindings = {p.tiles, p.slots, p.x, p.y, p.x};
        dispatch.bindings.insert(dispatch.bindings.end(),
                                 {p.sum ? sum.counts : p.x, p.sum ? sum.choices : p.x, p.sum ? p.tiles : p.y, p.y,
                                  p.sum ? sum.residual : p.x, p.sum ? sum.shared : p.x, p.sum ? sum.y : p.y,
                                  p.sum ? sum.normed : p.y});
    }
    set_groups(dispatch, p, policy);
    set_cost(dispatch, p);
    return dispatch;
}

/// Gate and up that lie apart, of few tokens.
Dispatch pair_product(const ExpertHidden& op, const Product& gate, const Policy& policy) {
    const ExpertShape& shape = op.shape;
    const Weight &weight = op.weight.weight, &up = op.up.weight;
    VKINFER_ASSERT(!gate.x_is_half && !gate.y_is_half && up.n_cols == weight.n_cols &&
                   op.up.expert_strips == op.weight.expert_strips && op.up.n_near == op.weight.n_near &&
                   (op.up.far != 0) == (op.weight.far != 0) && (op.up.bias != 0) == (op.weight.bias != 0));
    const WeightLayout &gate_layout = *find_weight_layout(weight.type), &up_layout = *find_weight_layout(up.type);
    Dispatch dispatch;
    dispatch.shader = shader_of("expert_matvec_mixed.mixed");
    dispatch.weights = {&gate_layout, &up_layout};
    dispatch.specialization =
        spec_words(shader::ExpertMatvecMixedSpec{.local_size = policy.matvec_lanes * splits_of(weight, policy),
                                                 .lanes = policy.matvec_lanes,
                                                 .rows_per_lane = policy.matvec_rows_per_lane,
                                                 .n_columns = tile_rows(shape, policy),
                                                 .n_used = shape.n_used,
                                                 .activation = static_cast<uint32_t>(op.activation),
                                                 .has_bias = op.weight.bias != 0,
                                                 .is_normed = op.x_is_normed,
                                                 .is_split = op.weight.far != 0,
                                                 .type_0 = weight_type_number(gate_layout),
                                                 .type_1 = weight_type_number(up_layout),
                                                 .int8 = policy.int8_activations});
    dispatch.subgroup_size = policy.require_subgroup_size ? policy.subgroup_size : 0;
    dispatch.push = push_bytes(shader::ExpertMatvecMixedPush{.codes = weight.codes,
                                                             .scales = weight.scales,
                                                             .table = weight.table,
                                                             .row_scales = weight.row_scales,
                                                             .far = op.weight.far,
                                                             .up_codes = up.codes,
                                                             .up_scales = up.scales,
                                                             .up_table = up.table,
                                                             .up_row_scales = up.row_scales,
                                                             .up_far = op.up.far,
                                                             .bias = op.weight.bias,
                                                             .up_bias = op.up.bias,
                                                             .n_rows = gate.n_out,
                                                             .n_blocks = weight.n_blocks(),
                                                             .n_near = op.weight.n_near,
                                                             .expert_strips = op.weight.expert_strips,
                                                             .eps = op.eps,
                                                             .parts_at = shape.n_tokens * weight.n_cols,
                                                             .n_parts = NormedRows::n_parts(weight.n_cols, policy)},
                               shader::kExpertMatvecMixedPushBytes);
    dispatch.bindings = {gate.tiles, gate.slots, gate.x, gate.y, gate.x};
    set_groups(dispatch, gate, policy);
    Product second = gate;
    second.weight = op.up;
    set_cost(dispatch, second);
    const uint64_t bytes = dispatch.bytes, flops = dispatch.flops;
    set_cost(dispatch, gate);
    dispatch.bytes += bytes;
    dispatch.flops += flops;
    return dispatch;
}

constexpr uint32_t kRouterSplits = 8; ///< subgroups that share K: a router has few rows

/// What the two kernels that route have in common.
template<class Spec>
Spec route_spec(const ExpertRoute& op, uint32_t local_size, const Policy& policy) {
    const ExpertShape& s = op.shape;
    Spec spec;
    spec.local_size = local_size;
    spec.lanes = policy.subgroup_size;
    spec.n_experts = s.n_experts;
    spec.n_used = s.n_used;
    spec.max_tokens = s.n_tokens;
    spec.gating = static_cast<uint32_t>(op.gating);
    spec.has_bias = op.selection_bias != 0;
    spec.n_groups = op.n_groups;
    spec.n_groups_used = op.n_groups_used;
    spec.normalises = op.normalises;
    spec.has_shared_gate = s.has_shared_gate;
    spec.n_shared = s.n_shared;
    spec.sorts = s.n_tokens > 1 && s.n_tokens <= kOneGroupTokens;
    spec.tile_rows = tile_rows(s, policy);
    return spec;
}

/// Workgroups of rows of the two products.
struct ProductGroups {
    uint32_t hidden, out;
};

ProductGroups product_groups(const ExpertShape& s, const Policy& policy) {
    return {.hidden = ceil_div(s.n_ff, group_rows(s, policy, true)),
            .out = ceil_div(s.n_embd, group_rows(s, policy, false))};
}

template<class Push>
Push route_push(const ExpertRoute& op, const Policy& policy) {
    const ProductGroups groups = product_groups(op.shape, policy);
    Push push;
    push.selection_bias = op.selection_bias;
    push.load = op.load;
    push.homes = op.homes;
    push.groups_hidden = groups.hidden;
    push.groups_out = groups.out;
    push.scale = op.scale;
    push.down_arrivals_at = static_cast<uint32_t>(op.shape.arrivals_offset() / 16);
    return push;
}

/// What the kernels that multiply with the router have in common.
template<class Spec>
Spec router_spec(const ExpertRoute& op, uint32_t splits, uint32_t n_columns, const Policy& policy) {
    auto spec = route_spec<Spec>(op, splits * policy.subgroup_size, policy);
    spec.n_columns = n_columns;
    spec.has_router_bias = op.router_bias != 0;
    spec.is_normed = op.x_is_normed;
    return spec;
}

template<class Push>
Push router_push(const ExpertRoute& op, const Policy& policy) {
    auto push = route_push<Push>(op, policy);
    push.bias = op.router_bias;
    push.n_rows = op.router.n_rows;
    push.n_blocks = op.router.n_blocks();
    push.eps = op.eps;
    push.n_parts = NormedRows::n_parts(op.router.n_cols, policy);
    push.arrival_at = op.arrival_at;
    return push;
}

void add_cost(Dispatch& dispatch, const Weight& weight, uint32_t n_tokens, uint32_t n_out) {
    const WeightLayout& layout = *find_weight_layout(weight.type);
    dispatch.bytes += weight_code_bytes(layout, weight.n_rows, weight.n_cols) +
                      weight_scale_bytes(layout, weight.n_rows, weight.n_cols) + uint64_t{4} * n_tokens * n_out;
    dispatch.flops += uint64_t{2} * weight.n_rows * weight.n_cols * n_tokens;
}

/// What the kernels that also multiply with a shared expert have in common: columns of a workgroup.
template<class Spec, class Push>
uint32_t set_shared(const ExpertRoute& op, bool int8, const Policy& policy, Spec& spec, Push& push,
                    Dispatch& dispatch) {
    const Weight& shared = op.shared;
    VKINFER_ASSERT(ExpertRoute::takes_shared(op.router, shared, op.shared_up) &&
                   policy.matvec_lanes == policy.subgroup_size);
    const MatvecForm form = matvec_form(op.shape.n_tokens, true, int8, policy);
    spec = router_spec<Spec>(op, std::min(form.splits, shared.n_blocks()), form.n_columns, policy);
    spec.rows_per_lane = form.rows_per_lane;
    const uint32_t n_hidden = op.shared_up ? shared.n_rows : shared.n_rows / 2;
    const uint32_t group_rows = spec.lanes * spec.rows_per_lane;
    push = router_push<Push>(op, policy);
    push.codes = shared.codes;
    push.scales = shared.scales;
    push.table = shared.table;
    push.router = op.router.codes;
    push.n_hidden = n_hidden;
    dispatch.groups[0] = ceil_div(op.router.n_rows, 2 * group_rows) + ceil_div(n_hidden, group_rows);
    add_cost(dispatch, shared, op.shape.n_tokens, n_hidden);
    return form.n_columns;
}

Lowered lower_router(const ExpertRoute& op, const Policy& policy) {
    enum : uint32_t { kCounts, kX, kChoices, kTiles, kSlots, kArrivals, kFirstOptional };
    const ExpertShape& s = op.shape;
    VKINFER_ASSERT(ExpertRoute::routes_itself(op.router, s) && op.router.n_rows == op.logits_stride);
    const uint32_t logits = kFirstOptional + static_cast<bool>(op.shared);
    Dispatch dispatch;
    dispatch.bindings = {kCounts, kX, kX, logits, kArrivals, kChoices, kTiles, kSlots};
    uint32_t n_columns = 0;
    if (op.shared_up) {
        const Weight &gate = op.shared, &up = op.shared_up;
        const WeightLayout &gate_layout = *find_weight_layout(gate.type), &up_layout = *find_weight_layout(up.type);
        shader::ExpertRouterSharedMixedSpec spec;
        shader::ExpertRouterSharedMixedPush push;
        n_columns = set_shared(op, policy.int8_activations, policy, spec, push, dispatch);
        spec.type_0 = weight_type_number(gate_layout);
        spec.type_1 = weight_type_number(up_layout);
        spec.int8 = policy.int8_activations;
        push.up_codes = up.codes;
        push.up_scales = up.scales;
        push.up_table = up.table;
        dispatch.shader = shader_of("expert_router_shared_mixed.mixed");
        dispatch.weights = {&gate_layout, &up_layout};
        dispatch.specialization = spec_words(spec);
        dispatch.push = push_bytes(push, shader::kExpertRouterSharedMixedPushBytes);
        add_cost(dispatch, up, s.n_tokens, 0);
    } else if (op.shared) {
        const WeightLayout& layout = *find_weight_layout(op.shared.type);
        const bool int8 = policy.int8_activations && layout.has_int8;
        shader::ExpertRouterSharedSpec spec;
        shader::ExpertRouterSharedPush push;
        n_columns = set_shared(op, int8, policy, spec, push, dispatch);
        dispatch.shader = shader_of(std::format("expert_router_shared.{}.{}", layout.shader_name, int8 ? "q8" : "f32"));
        dispatch.specialization = spec_words(spec);
        dispatch.push = push_bytes(push, shader::kExpertRouterSharedPushBytes);
    } else {
        const uint32_t splits = policy.is_cpu ? 1 : std::min(kRouterSplits, op.router.n_blocks());
        n_columns = matvec_form(std::min(s.n_tokens, kFewColumns), false, false, policy).n_columns; // few rows: waves
        const auto spec = router_spec<shader::ExpertRouterSpec>(op, splits, n_columns, policy);
        auto push = router_push<shader::ExpertRouterPush>(op, policy);
        push.codes = op.router.codes;
        push.scales = op.router.scales;
        dispatch.shader = shader_of(std::format("expert_router.{}", find_weight_layout(op.router.type)->shader_name));
        dispatch.specialization = spec_words(spec);
        dispatch.push = push_bytes(push, shader::kExpertRouterPushBytes);
        dispatch.groups[0] = ceil_div(op.router.n_rows, policy.subgroup_size);
    }
    if (op.shared) dispatch.bindings.push_back(kFirstOptional);
    dispatch.groups[1] = ceil_div(s.n_tokens, n_columns);
    dispatch.subgroup_size = policy.require_subgroup_size ? policy.subgroup_size : 0;
    const uint64_t logits_bytes = uint64_t{4} * s.n_tokens * op.logits_stride;
    add_cost(dispatch, op.router, s.n_tokens, 2 * op.logits_stride);
    dispatch.bytes += uint64_t{4} * s.n_tokens * op.router.n_cols + s.choices_bytes();
    return {.dispatches = {std::move(dispatch)}, .scratch_bytes = {logits_bytes}};
}

} // namespace

bool ExpertRoute::routes_itself(const Weight& router, const ExpertShape& shape) {
    using enum format::TensorType;
    return shape.n_tokens <= kOneGroupTokens && (router.type == f32 || router.type == f16 || router.type == bf16);
}

bool ExpertRoute::takes_shared(const Weight& router, const Weight& shared, const Weight& up) {
    const auto can = [&](const Weight& weight, uint32_t n_hidden) {
        return weight.row_scales == 0 && n_hidden % kStripRows == 0 && weight.n_cols == router.n_cols;
    };
    if (router.type != format::TensorType::f32 || !shared) return false;
    return up ? can(shared, shared.n_rows) && can(up, up.n_rows) && up.n_rows == shared.n_rows
              : shared.n_rows % 2 == 0 && can(shared, shared.n_rows / 2);
}

Lowered lower(const ExpertRoute& op, const Policy& policy) {
    enum : uint32_t { kCounts, kLogits, kChoices, kTiles, kSlots };
    const ExpertShape& s = op.shape;
    VKINFER_ASSERT(s.n_used >= 1 && s.n_used <= s.n_experts && (s.n_experts - s.n_shared) % op.n_groups == 0);
    if (op.router) return lower_router(op, policy);
    const bool one_group = s.n_tokens <= kOneGroupTokens;
    const uint32_t waves = policy.is_cpu ? 1 : std::min(s.n_tokens, one_group ? 8u : 4u);

    Lowered lowered;
    Dispatch route;
    route.shader = shader_of("expert_route");
    route.specialization = spec_words(route_spec<shader::ExpertRouteSpec>(op, waves * policy.subgroup_size, policy));
    route.subgroup_size = policy.require_subgroup_size ? policy.subgroup_size : 0;
    auto push = route_push<shader::ExpertRoutePush>(op, policy);
    push.logits_stride = op.logits_stride;
    route.push = push_bytes(push, shader::kExpertRoutePushBytes);
    route.bindings = {kCounts, kLogits, kChoices, kTiles, kSlots};
    route.groups = {one_group ? 1 : ceil_div(s.n_tokens, waves), 1, 1};
    route.bytes = uint64_t{4} * s.n_tokens * op.logits_stride + s.choices_bytes();
    lowered.dispatches.push_back(std::move(route));
    if (one_group) return lowered;

    Dispatch sort;
    sort.shader = shader_of("expert_sort");
    sort.specialization = spec_words(shader::ExpertSortSpec{.local_size = policy.is_cpu ? policy.subgroup_size : 256,
                                                            .lanes = policy.subgroup_size,
                                                            .n_experts = s.n_experts,
                                                            .n_used = s.n_used,
                                                            .choice_stride = s.choice_stride(),
                                                            .tile_rows = tile_rows(s, policy)});
    sort.subgroup_size = policy.require_subgroup_size ? policy.subgroup_size : 0;
    const ProductGroups groups = product_groups(s, policy);
    sort.push = push_bytes(
        shader::ExpertSortPush{
            .homes = op.homes, .max_tokens = s.n_tokens, .groups_hidden = groups.hidden, .groups_out = groups.out},
        shader::kExpertSortPushBytes);
    sort.bindings = {kCounts, kChoices, kTiles, kSlots};
    sort.bytes = 2 * s.choices_bytes() + s.slots_bytes();
    lowered.dispatches.push_back(std::move(sort));
    return lowered;
}

Lowered lower(const ExpertHidden& op, const Policy& policy) {
    enum : uint32_t { kCounts, kTiles, kSlots, kX, kH, kFirstScratch };
    const bool is_apart = static_cast<bool>(op.up.weight);
    const Product p{.shape = op.shape,
                    .weight = op.weight,
                    .activation = op.activation,
                    .takes_tokens = true,
                    .x_is_normed = op.x_is_normed,
                    .eps = op.eps,
                    .n_out = op.shape.n_ff,
                    .tiles = kTiles,
                    .slots = kSlots,
                    .x = kX,
                    .y = kH,
                    .y_is_half = op.y_is_half && !is_apart};
    VKINFER_ASSERT(!op.x_is_normed || !experts_are_gemms(op.shape, policy));
    Lowered lowered;
    if (!is_apart || !experts_are_gemms(op.shape, policy)) {
        lowered.dispatches.push_back(is_apart ? pair_product(op, p, policy) : product(p, policy));
        return lowered;
    }
    Product gate = p, up = p;
    gate.activation = up.activation = Activation::none;
    up.weight = op.up;
    gate.y = kFirstScratch;
    up.y = gate.y + 1;
    const uint64_t bytes = uint64_t{4} * op.shape.n_slots() * op.shape.n_ff;
    lowered.scratch_bytes.insert(lowered.scratch_bytes.end(), {bytes, bytes});
    lowered.dispatches.push_back(product(gate, policy));
    lowered.dispatches.push_back(product(up, policy));
    const SwiGlu both{.n_tokens = op.shape.n_tokens,
                      .n_cols = op.shape.n_ff,
                      .stride = op.shape.n_ff,
                      .rows_per_token = op.shape.n_used,
                      .activation = op.activation,
                      .y_is_half = op.y_is_half};
    lowered.dispatches.push_back(std::move(lower(both, policy).dispatches[0]));
    lowered.dispatches.back().bindings = {kCounts, gate.y, up.y, kH};
    return lowered;
}

Lowered lower(const ExpertOutput& op, const Policy& policy) {
    enum : uint32_t { kCounts, kChoices, kTiles, kSlots, kH, kResidual, kShared, kY, kNormed };
    const bool writes_normed = op.next_norm != 0;
    const uint32_t scratch = kNormed + writes_normed, normed = writes_normed ? kNormed : kY;
    const ExpertShape& s = op.shape;
    const Weight& weight = op.weight.weight;
    Product p{.shape = s,
              .weight = op.weight,
              .n_out = s.n_embd,
              .tiles = kTiles,
              .slots = kSlots,
              .x = kH,
              .x_is_half = op.x_is_half};
    const bool int8 = uses_int8(p, policy);
    Lowered lowered;
    if (s.n_tokens == 1) {
        Dispatch dispatch;
        dispatch.shader = shader_of(
            std::format("expert_down_one.{}.{}", find_weight_layout(weight.type)->shader_name, int8 ? "q8" : "f32"));
        dispatch.specialization =
            spec_words(shader::ExpertDownOneSpec{.local_size = policy.matvec_lanes * splits_of(weight, policy),
                                                 .lanes = policy.matvec_lanes,
                                                 .rows_per_lane = policy.matvec_rows_per_lane,
                                                 .n_used = s.n_used,
                                                 .has_bias = op.weight.bias != 0,
                                                 .has_shared_gate = s.has_outer_gate(),
                                                 .writes_normed = writes_normed,
                                                 .is_split = op.weight.far != 0});
        dispatch.subgroup_size = policy.require_subgroup_size ? policy.subgroup_size : 0;
        dispatch.push = push_bytes(shader::ExpertDownOnePush{.codes = weight.codes,
                                                             .scales = weight.scales,
                                                             .table = weight.table,
                                                             .row_scales = weight.row_scales,
                                                             .bias = op.weight.bias,
                                                             .norm_weight = op.next_norm,
                                                             .far = op.weight.far,
                                                             .n_rows = s.n_embd,
                                                             .n_blocks = weight.n_blocks(),
                                                             .n_near = op.weight.n_near,
                                                             .expert_strips = op.weight.expert_strips,
                                                             .x_stride = weight.n_cols,
                                                             .parts_out = s.n_embd},
                                   shader::kExpertDownOnePushBytes);
        dispatch.bindings = {kCounts, kChoices, kTiles, kH, kResidual, kShared, kY, normed};
        dispatch.groups = {ceil_div(s.n_embd, policy.matvec_lanes * policy.matvec_rows_per_lane), 1, 1};
        set_cost(dispatch, p);
        lowered.dispatches.push_back(std::move(dispatch));
        return lowered;
    }

    p.y = scratch;
    lowered.scratch_bytes.push_back(uint64_t{4} * s.n_slots() * s.n_embd);
    if (sums_in_product(s, policy)) {
        p.sum = Product::Sum{.next_norm = op.next_norm,
                             .counts = kCounts,
                             .choices = kChoices,
                             .residual = kResidual,
                             .shared = kShared,
                             .y = kY,
                             .normed = normed};
    }
    lowered.dispatches.push_back(product(p, policy));
    if (p.sum) return lowered;
    Dispatch sum;
    sum.shader = shader_of("expert_sum");
    // A whole row for one workgroup where the norm after it wants its sum of squares; no barrier in it on a CPU.
    const uint32_t local_size =
        policy.is_cpu ? policy.subgroup_size : std::max(writes_normed ? 256u : 64u, policy.subgroup_size);
    sum.specialization = spec_words(shader::ExpertSumSpec{.local_size = local_size,
                                                          .subgroup_size = policy.subgroup_size,
                                                          .n_used = s.n_used,
                                                          .has_shared_gate = s.has_outer_gate(),
                                                          .writes_normed = writes_normed});
    sum.subgroup_size = policy.require_subgroup_size ? policy.subgroup_size : 0;
    sum.push = push_bytes(shader::ExpertSumPush{.norm_weight = op.next_norm,
                                                .n_cols = s.n_embd,
                                                .parts_at = s.n_tokens * s.n_embd,
                                                .n_parts = NormedRows::n_parts(s.n_embd, policy)},
                          shader::kExpertSumPushBytes);
    sum.bindings = {kCounts, kChoices, p.y, kResidual, kShared, kY, normed};
    sum.groups = {writes_normed ? 1 : ceil_div(s.n_embd / 4, local_size), s.n_tokens, 1};
    sum.bytes = uint64_t{4} * s.n_embd * (s.n_slots() + 2 * uint64_t{s.n_tokens});
    lowered.dispatches.push_back(std::move(sum));
    return lowered;
}

} // namespace vkinfer::kernels
