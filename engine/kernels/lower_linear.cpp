// Matrix products: which kernel takes a shape, and its tiles.
#include "kernels.gen.h"
#include "kernels/lowering.h"

#include <algorithm>
#include <format>

namespace vkinfer::kernels {

namespace {

const WeightLayout& layout_of(const Weight& weight) {
    const WeightLayout* layout = find_weight_layout(weight.type);
    VKINFER_ASSERT(layout != nullptr); // the loader refuses other types
    return *layout;
}

/// The matrices of a product, one above the other.
std::vector<Weight> parts_of(const Linear& op) {
    std::vector<Weight> parts{op.weight};
    for (const Weight& weight : op.below) {
        if (weight) parts.push_back(weight);
    }
    return parts;
}

uint64_t weight_bytes(const Weight& weight) {
    const WeightLayout& layout = layout_of(weight);
    return weight_code_bytes(layout, weight.n_rows, weight.n_cols) +
           weight_scale_bytes(layout, weight.n_rows, weight.n_cols);
}

/// Traffic and work of a product, whoever does it.
void set_cost(Dispatch& dispatch, const Linear& op) {
    const uint64_t x_bytes = (op.x_is_half ? 2 : 4) * uint64_t{op.weight.n_cols};
    const uint64_t y_bytes = (op.y_is_half ? 2 : op.has_residual ? 8 : 4) * uint64_t{op.n_out};
    dispatch.bytes = op.n_columns * (x_bytes + y_bytes);
    dispatch.flops = 0;
    for (const Weight& weight : parts_of(op)) {
        dispatch.bytes += weight_bytes(weight);
        dispatch.flops += uint64_t{2} * weight.n_rows * weight.n_cols * op.n_columns;
    }
}

// Operands of Linear that are always there; those for norms and gathering follow, then its scratch.
enum : uint32_t { kCounts, kX, kResidual, kY, kFirstOptional };

/// What norms that are folded into a product need beside its own operands.
struct FoldedNorms {
    uint32_t rows_at = kCounts, normed_at = kY; ///< operands
    uint32_t parts_at = 0, n_parts = 0;         ///< of the rows that it takes
    uint32_t parts_out = 0;                     ///< of the rows that it makes
};

FoldedNorms folded_norms(const Linear& op, const Policy& policy) {
    const uint32_t x_rows = op.x_rows != 0 ? op.x_rows : op.n_columns;
    return {.rows_at = op.gathers ? kFirstOptional + (op.next_norm != 0) : kCounts,
            .normed_at = op.next_norm != 0 ? kFirstOptional : kY,
            .parts_at = x_rows * op.weight.n_cols,
            .n_parts = NormedRows::n_parts(op.weight.n_cols, policy),
            .parts_out = op.n_columns * op.n_out};
}

MatvecForm matvec_form(const Linear& op, bool int8, const Policy& policy) {
    MatvecForm form = matvec_form(op.n_columns, op.is_glu, int8, policy);
    if (op.next_norm != 0)
        form.rows_per_lane = std::max(form.rows_per_lane, policy.matvec_rows_per_lane); // whole parts
    form.splits = std::min(form.splits, op.weight.n_blocks()); // no more subgroups on a row than blocks to share
    return form;
}

/// What both kernels of matrices of different types have in common: types and addresses of the parts, and workgroups
/// of `group_rows` rows of one part each.
template<class Spec, class Push>
void set_parts(const Linear& op, uint32_t group_rows, const Policy& policy, Spec& spec, Push& push,
               Dispatch& dispatch) {
    VKINFER_ASSERT(!op.is_glu && !op.has_residual && !op.keeps_f32 && !op.gathers && op.next_norm == 0 &&
                   op.y_offset == 0 && op.columns == RowCount::tokens);
    const std::vector<Weight> parts = parts_of(op);
    const Weight& first = parts[0];
    const auto type_of = [&](size_t part) { // one that is not there has the type of the last
        return weight_type_number(layout_of(parts[std::min(part, parts.size() - 1)]));
    };
    const auto weight_of = [&](size_t part) { return part < parts.size() ? parts[part] : Weight{}; };
    spec.type_0 = type_of(0);
    spec.type_1 = type_of(1);
    spec.type_2 = type_of(2);
    spec.has_bias = op.bias != 0;
    spec.is_normed = op.x_is_normed;
    const FoldedNorms norms = folded_norms(op, policy);
    const Weight second = weight_of(1), third = weight_of(2);
    push = {.codes_0 = first.codes,
            .scales_0 = first.scales,
            .table_0 = first.table,
            .codes_1 = second.codes,
            .scales_1 = second.scales,
            .table_1 = second.table,
            .codes_2 = third.codes,
            .scales_2 = third.scales,
            .table_2 = third.table,
            .bias = op.bias,
            .n_rows_0 = first.n_rows,
            .n_rows_1 = second.n_rows,
            .n_rows_2 = third.n_rows,
            .n_blocks = first.n_blocks(),
            .x_stride = op.x_stride,
            .y_stride = op.y_stride,
            .eps = op.eps,
            .parts_at = norms.parts_at,
            .n_parts = norms.n_parts};
    dispatch.bindings = {kCounts, kX, kY, kX};
    dispatch.groups[0] = 0;
    uint32_t n_rows = 0;
    for (const Weight& part : parts) {
        dispatch.weights.push_back(&layout_of(part));
        VKINFER_ASSERT(part.n_cols == first.n_cols && part.row_scales == 0);
        dispatch.groups[0] += ceil_div(part.n_rows, group_rows);
        n_rows += part.n_rows;
    }
    VKINFER_ASSERT(n_rows == op.n_out);
    set_cost(dispatch, op);
}

Lowered lower_mixed_matvec(const Linear& op, const Policy& policy) {
    const MatvecForm form = matvec_form(op, policy.int8_activations, policy);
    shader::MatvecMixedSpec spec;
    spec.lanes = policy.matvec_lanes;
    spec.local_size = policy.matvec_lanes * form.splits;
    spec.rows_per_lane = form.rows_per_lane;
    spec.n_columns = form.n_columns;
    spec.int8 = policy.int8_activations;
    shader::MatvecMixedPush push;
    Dispatch dispatch;
    set_parts(op, spec.lanes * spec.rows_per_lane, policy, spec, push, dispatch);
    dispatch.shader = shader_of("matvec_mixed.mixed");
    dispatch.specialization = spec_words(spec);
    dispatch.subgroup_size = policy.require_subgroup_size ? policy.subgroup_size : 0;
    dispatch.push = push_bytes(push, shader::kMatvecMixedPushBytes);
    dispatch.groups[1] = ceil_div(op.n_columns, spec.n_columns);
    return {.dispatches = {std::move(dispatch)}, .scratch_bytes = {}};
}

Lowered lower_matvec(const Linear& op, const Policy& policy) {
    const WeightLayout& layout = layout_of(op.weight);
    const bool int8 = policy.int8_activations && layout.has_int8 && !op.keeps_f32;
    const FoldedNorms norms = folded_norms(op, policy);
    const MatvecForm form = matvec_form(op, int8, policy);

    shader::MatvecSpec spec;
    spec.lanes = policy.matvec_lanes;
    spec.local_size = policy.matvec_lanes * form.splits;
    spec.rows_per_lane = form.rows_per_lane;
    spec.n_columns = form.n_columns;
    spec.count_index = static_cast<uint32_t>(op.columns);
    spec.is_glu = op.is_glu;
    spec.has_bias = op.bias != 0;
    spec.has_residual = op.has_residual;
    spec.is_normed = op.x_is_normed;
    spec.writes_parts_of = op.next_norm != 0 ? policy.matvec_lanes * policy.matvec_rows_per_lane : 0;
    spec.gathers = op.gathers;

    Dispatch dispatch;
    dispatch.shader = shader_of(std::format("matvec.{}.{}", layout.shader_name, int8 ? "q8" : "f32"));
    dispatch.specialization = spec_words(spec);
    dispatch.subgroup_size = policy.require_subgroup_size ? policy.subgroup_size : 0;
    dispatch.push = push_bytes(shader::MatvecPush{.codes = op.weight.codes,
                                                  .scales = op.weight.scales,
                                                  .table = op.weight.table,
                                                  .row_scales = op.weight.row_scales,
                                                  .bias = op.bias,
                                                  .norm_weight = op.next_norm,
                                                  .n_rows = op.n_out,
                                                  .n_blocks = op.weight.n_blocks(),
                                                  .x_stride = op.x_stride,
                                                  .y_stride = op.y_stride,
                                                  .y_offset = op.y_offset,
                                                  .eps = op.eps,
                                                  .parts_at = norms.parts_at,
                                                  .n_parts = norms.n_parts,
                                                  .parts_out = norms.parts_out},
                               shader::kMatvecPushBytes);
    dispatch.bindings = {kCounts, kX, kResidual, kY, kX, norms.rows_at, norms.normed_at};
    dispatch.groups = {ceil_div(op.n_out, spec.lanes * spec.rows_per_lane), ceil_div(op.n_columns, spec.n_columns), 1};
    set_cost(dispatch, op);
    return {.dispatches = {std::move(dispatch)}, .scratch_bytes = {}};
}

/// Tiles for weights that are decoded into fragments in registers: a wave has rows of its own and all columns of the
/// tile, so that each weight is decoded once for as many columns as its sums' registers allow.
CoopmatTiles direct_tiles(const Linear& op, const Policy& policy) {
    CoopmatTiles tiles = policy.tiles;
    if (op.n_columns <= kFoldedNormTokens) { // limited by bandwidth: many small workgroups, each weight still once
        tiles.wave_m = 16;
        tiles.tile_m = kSkinnyGemmRows;
        tiles.tile_n = tiles.wave_n = op.n_columns <= 16 ? 16 : 32;
        return tiles;
    }
    tiles.wave_m = op.is_glu ? 16 : 32; // two matrices then
    tiles.tile_m = 8 * tiles.wave_m;
    tiles.tile_n = 128;
    // Rather less reuse than idle compute units; and no columns that are not there.
    const auto fills = [&] {
        return ceil_div(op.n_out, tiles.tile_m) * ceil_div(op.n_columns, tiles.tile_n) >= 2 * policy.compute_units;
    };
    while (tiles.tile_n > 32 && op.n_columns <= tiles.tile_n / 2) tiles.tile_n /= 2;
    if (!fills()) tiles.tile_m /= 2;
    while (tiles.tile_n > 32 && !fills()) tiles.tile_n /= 2;
    tiles.wave_n = tiles.tile_n;
    return tiles;
}

Lowered lower_mixed_coopmat(const Linear& op, const Policy& policy) {
    VKINFER_ASSERT(policy.has_direct_gemm() && op.n_columns <= kFoldedNormTokens && !op.x_is_half && !op.y_is_half);
    const CoopmatTiles tiles = direct_tiles(op, policy);
    auto spec = coopmat_spec<shader::GemmMixedSpec>(tiles, op.weight, policy);
    shader::GemmMixedPush push;
    Dispatch dispatch;
    set_parts(op, tiles.tile_m, policy, spec, push, dispatch);
    dispatch.shader = shader_of("gemm_mixed.mixed");
    dispatch.specialization = spec_words(spec);
    dispatch.subgroup_size = policy.require_subgroup_size ? tiles.subgroup_size : 0;
    dispatch.push = push_bytes(push, shader::kGemmMixedPushBytes);
    dispatch.groups[1] = ceil_div(op.n_columns, tiles.tile_n);
    return {.dispatches = {std::move(dispatch)}, .scratch_bytes = {}};
}

Lowered lower_coopmat(const Linear& op, const Policy& policy) {
    const bool is_direct = policy.has_direct_gemm();
    const FoldedNorms norms = folded_norms(op, policy);
    CoopmatTiles tiles = is_direct ? direct_tiles(op, policy) : policy.tiles;
    // Two accumulators a tile for gate and up: half the rows, so that registers stay as they are.
    if (!is_direct && op.is_glu && tiles.wave_m > tiles.frag_m) {
        tiles.tile_m /= 2;
        tiles.wave_m /= 2;
    }
    auto spec = coopmat_spec<shader::GemmCoopmatSpec>(tiles, op.weight, policy);
    spec.has_odd_rows = op.n_out % 8 != 0;
    spec.count_index = static_cast<uint32_t>(op.columns);
    spec.is_glu = op.is_glu;
    spec.has_bias = op.bias != 0;
    spec.has_residual = op.has_residual;
    spec.is_normed = op.x_is_normed;
    spec.writes_parts_of = op.next_norm != 0 ? policy.matvec_lanes * policy.matvec_rows_per_lane : 0;
    spec.gathers = op.gathers;
    spec.x_is_half = op.x_is_half;
    spec.y_is_half = op.y_is_half;
    Dispatch dispatch;
    dispatch.shader = shader_of(std::format("gemm_coopmat.{}", layout_of(op.weight).shader_name));
    dispatch.specialization = spec_words(spec);
    dispatch.subgroup_size = policy.require_subgroup_size ? tiles.subgroup_size : 0;
    dispatch.push = push_bytes(shader::GemmCoopmatPush{.codes = op.weight.codes,
                                                       .scales = op.weight.scales,
                                                       .table = op.weight.table,
                                                       .row_scales = op.weight.row_scales,
                                                       .bias = op.bias,
                                                       .norm_weight = op.next_norm,
                                                       .n_rows = op.n_out,
                                                       .n_blocks = op.weight.n_blocks(),
                                                       .x_stride = op.x_stride,
                                                       .y_stride = op.y_stride,
                                                       .y_offset = op.y_offset,
                                                       .eps = op.eps,
                                                       .parts_at = norms.parts_at,
                                                       .n_parts = norms.n_parts,
                                                       .parts_out = norms.parts_out},
                               shader::kGemmCoopmatPushBytes);
    dispatch.bindings = {kCounts, kX, kResidual, kY, kX, norms.rows_at, norms.normed_at};
    dispatch.groups = {ceil_div(op.n_out, tiles.tile_m), ceil_div(op.n_columns, tiles.tile_n), 1};
    set_cost(dispatch, op);
    Lowered lowered;
    lowered.dispatches.push_back(std::move(dispatch));
    return lowered;
}

} // namespace

MatvecForm matvec_form(uint32_t n_columns, bool is_glu, bool int8, const Policy& policy) {
    MatvecForm form{.rows_per_lane = policy.matvec_rows_per_lane, .splits = policy.matvec_splits};
    while (form.n_columns < n_columns && form.n_columns < policy.matvec_max_columns) form.n_columns *= 2;
    if (form.n_columns > kFewColumns) {
        const bool is_prefill = n_columns > kFoldedNormTokens;
        if (!is_prefill) form.splits = policy.matvec_wide_splits;
        form.rows_per_lane = policy.matvec_wide_rows_per_lane;
        // Gate and up are two weights already: four of them cost waves, and decoded to f32 they do not fit.
        if (is_glu && !policy.is_cpu && !(is_prefill && int8)) form.rows_per_lane = ceil_div(form.rows_per_lane, 2);
    }
    return form;
}

bool is_gemm(const Linear& op, const Policy& policy) {
    const bool may_be =
        !op.keeps_f32 && (!op.folds_norm() || (policy.gemm_folds_norms() && op.n_columns <= kFoldedNormTokens));
    return may_be && policy.uses_gemm(op.n_columns);
}

Lowered lower(const Linear& op, const Policy& policy) {
    if (op.is_mixed()) return is_gemm(op, policy) ? lower_mixed_coopmat(op, policy) : lower_mixed_matvec(op, policy);
    // The builder keeps those apart.
    VKINFER_ASSERT(!(op.is_glu && (op.bias != 0 || op.weight.row_scales != 0 || op.has_residual)));
    VKINFER_ASSERT(op.weight.n_rows == op.n_out * (op.is_glu ? 2 : 1));
    VKINFER_ASSERT(!op.is_glu || op.n_out % kStripRows == 0);
    VKINFER_ASSERT(op.next_norm == 0 || (op.y_stride == op.n_out && op.y_offset == 0));
    if (is_gemm(op, policy)) return lower_coopmat(op, policy);
    VKINFER_ASSERT(!op.x_is_half && !op.y_is_half);
    return lower_matvec(op, policy);
}

Lowered lower(const Embed& op, const Policy& policy) {
    // As for other small kernels: one subgroup needs no barrier, which is dear on a CPU.
    const uint32_t local_size = policy.is_cpu ? policy.subgroup_size : std::max(64u, policy.subgroup_size);
    Dispatch dispatch;
    dispatch.shader = shader_of(std::format("embed.{}", layout_of(op.weight).shader_name));
    dispatch.specialization = spec_words(shader::EmbedSpec{
        .local_size = local_size, .subgroup_size = policy.subgroup_size, .writes_normed = op.next_norm != 0});
    dispatch.subgroup_size = policy.require_subgroup_size ? policy.subgroup_size : 0;
    dispatch.push = push_bytes(shader::EmbedPush{.codes = op.weight.codes,
                                                 .scales = op.weight.scales,
                                                 .table = op.weight.table,
                                                 .norm_weight = op.next_norm,
                                                 .n_rows = op.weight.n_rows,
                                                 .n_blocks = op.weight.n_blocks(),
                                                 .row_stride = op.stride,
                                                 .parts_at = op.n_tokens * op.weight.n_cols,
                                                 .n_parts = NormedRows::n_parts(op.weight.n_cols, policy)},
                               shader::kEmbedPushBytes);
    dispatch.bindings = {0, 1, 2, op.next_norm != 0 ? 3u : 2u};
    dispatch.groups = {op.n_tokens, 1, 1};
    dispatch.bytes = uint64_t{8} * op.n_tokens * op.weight.n_cols;
    return {.dispatches = {std::move(dispatch)}, .scratch_bytes = {}};
}

} // namespace vkinfer::kernels
