#version 460
// y[t, r] = sum_k W[r, k] * x[t, k] (+ bias[r])  for matrices W of different types one above the other, Q, K and V of a layer: a dispatch
// where matvec.comp would need one for each type.
//   W: up to three matrices (n_rows, n_blocks * 32) in tiles of 16 rows; x: (n_tokens, x_stride) f32, normalised here with is_normed
//   (include/normed.glsl), rounded to int8 for types that have it with int8; y: (n_tokens, y_stride) f32, rows of all matrices in order
#include "common.glsl"
#extension GL_EXT_integer_dot_product : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_basic : require
#include "matvec_mixed.gen.glsl"
#include "normed.glsl"
#include "weight.glsl"
#include "mixed_matrices.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_X, scalar) readonly restrict buffer X { vec4 x[]; };
layout(binding = BIND_Y, scalar) writeonly restrict buffer Y { float y[]; };
layout(binding = BIND_PARTS, scalar) readonly restrict buffer Parts { float parts[]; };

const uint n_splits = local_size / lanes;
const uint n_weights = 1u;

// Columns beyond the last repeat it and are not stored.
uint column_of(uint n) { return min(gl_WorkGroupID.y * n_columns + n, counts[kCountTokens] - 1u); }
uint part_of_column(uint n) { return push.parts_at + column_of(n) * push.n_parts; }
#define COLUMN_AT(n) (column_of(n) * (push.x_stride / 4u))
#include "matvec_loop_mixed.glsl"
#include "matvec_join.glsl"
#include "normed_columns.glsl"

void main() {
    const uint first_column = gl_WorkGroupID.y * n_columns;
    const uint n_live = counts[kCountTokens];
    if (first_column >= n_live) return;
    find_own_matrix(lanes * rows_per_lane);
    const uint n_strips = (own_rows + kStripRows - 1u) / kStripRows;
    const uint lane = n_splits > 1u ? gl_SubgroupInvocationID : gl_LocalInvocationIndex;
    const uint split = n_splits > 1u ? gl_SubgroupID : 0u;
    const uint first_row = own_group * lanes * rows_per_lane;

    uint x_at[n_columns];
    uint part_at[n_columns];
    float squares[n_columns];
    [[unroll]] for (uint n = 0; n < n_columns; n++) {
        x_at[n] = COLUMN_AT(n);
        part_at[n] = part_of_column(n);
    }
    if (has_squares) NORMED_SHARES(parts, part_at, push.n_parts, n_columns, squares)

    float acc[n_acc];
    [[unroll]] for (uint i = 0; i < n_acc; i++) acc[i] = 0.0;
    uint64_t strip_tile[n_decoded];
    uint strip_row[rows_per_lane];
    [[unroll]] for (uint r = 0; r < rows_per_lane; r++) {
        const uint row = first_row + r * lanes + lane;
        strip_row[r] = row % kStripRows;
        strip_tile[r] = uint64_t(min(row / kStripRows, n_strips - 1u)) * push.n_blocks;
    }
#define MULTIPLY(type) ACCUMULATE(type, strip_tile, strip_row, x_at, n_columns, split, acc)
    FOR_OWN_TYPE(MULTIPLY)

    if (scales_are_shared) share_scales();
    if (!join_splits(lane, split, acc, squares)) return;
    [[unroll]] for (uint n = 0; n < n_columns; n++) {
        const uint column = first_column + n;
        if (column >= n_live) break;
        if (!has_sums(n, split)) continue;
        float column_scale = 1.0;
        if (has_squares) column_scale = normed_scale(squares[n], push.n_blocks * kBlock, push.eps);
        if (scales_are_shared) column_scale = column_scales[n];
        [[unroll]] for (uint r = 0; r < rows_per_lane; r++) {
            const uint row = first_row + r * lanes + lane;
            if (row >= own_rows) break;
            const float bias = has_bias != 0 ? AddrF32(push.bias).v[own_first_row + row] : 0.0;
            y[column * push.y_stride + own_first_row + row] = fma(acc[r * n_columns + n], column_scale, bias);
        }
    }
}
