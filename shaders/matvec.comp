#version 460
// y[t, r] = sum_k W[r, k] * x[t, k]  (* scale[r]) (+ bias[r]) (+ residual[t, r]),  or  silu(gate) * up  for a weight of gate and up rows
// Optionally x is rows[t] of a larger x (gathers), is to be RMS-normalised (is_normed), and y is written a second time for the
// norm after it, with sums of squares of writes_parts_of rows each: include/normed.glsl.
//   W: (n_rows, n_blocks * 32) in tiles of 16 rows; x: (n_cols, x_stride) f32, rounded to int8 here with ACT_Q8; y: (n_cols, y_stride) f32
// A lane owns rows_per_lane rows and n_columns columns, so that nothing is reduced across lanes and an activation is one
// uniform load for the whole wave; the subgroups of a workgroup split K and are summed through shared memory.
// A weight is loaded and decoded once for n_columns columns. Sums in f32.
#include "common.glsl"
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_basic : require
#if ACT_Q8
#extension GL_EXT_integer_dot_product : require
#endif
#include "matvec.gen.glsl"
#include "normed.glsl"
#include "row_scale.glsl"
#include "weight.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_X, scalar) readonly restrict buffer X { vec4 x[]; };
layout(binding = BIND_RESIDUAL, scalar) readonly buffer Residual { float residual[]; };
layout(binding = BIND_Y, scalar) buffer Y { float y[]; };
layout(binding = BIND_PARTS, scalar) readonly restrict buffer Parts { float parts[]; };
layout(binding = BIND_ROWS, scalar) readonly restrict buffer Rows { uint rows[]; };
layout(binding = BIND_NORMED, scalar) writeonly buffer Normed { float normed[]; };

const uint n_splits = local_size / lanes;
const uint n_weights = 1u + is_glu;              // weights a lane accumulates per row

// Columns beyond the last repeat it and are not stored.
uint x_row_of(uint n) {
    const uint column = min(gl_WorkGroupID.y * n_columns + n, counts[count_index] - 1u);
    return gathers != 0 ? rows[column] : column;
}
#define COLUMN_AT(n) (x_row_of(n) * (push.x_stride / 4u))
#include "matvec_loop.glsl"
#include "matvec_join.glsl"
uint part_of_column(uint n) { return push.parts_at + x_row_of(n) * push.n_parts; }
#include "normed_columns.glsl"

void main() {
    const uint first_column = gl_WorkGroupID.y * n_columns;
    const uint n_live = counts[count_index];
    if (first_column >= n_live) return;
    const uint n_strips = (push.n_rows + kStripRows - 1) / kStripRows;
    const uint lane = n_splits > 1u ? gl_SubgroupInvocationID : gl_LocalInvocationIndex;
    const uint split = n_splits > 1u ? gl_SubgroupID : 0u;
    const uint first_row = gl_WorkGroupID.x * lanes * rows_per_lane;

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

    // A weight that is a stack of gate and up has n_rows rows each; strips of up follow those of gate.
    uint64_t strip_tile[n_decoded];
    uint strip_row[rows_per_lane];
    [[unroll]] for (uint r = 0; r < rows_per_lane; r++) {
        const uint row = first_row + r * lanes + lane;
        strip_row[r] = row % kStripRows;
        [[unroll]] for (uint g = 0; g < n_weights; g++)
            strip_tile[g * rows_per_lane + r] =
                uint64_t(min(row / kStripRows, n_strips - 1) + g * n_strips) * push.n_blocks;
    }
    accumulate(strip_tile, strip_row, x_at, n_columns, split, n_splits, push.n_blocks, acc);

    if (scales_are_shared) share_scales();
    if (!join_splits(lane, split, acc, squares)) return;

    float scale[rows_per_lane], bias[rows_per_lane], weight[rows_per_lane];
    [[unroll]] for (uint r = 0; r < rows_per_lane; r++) {
        const uint row = min(first_row + r * lanes + lane, push.n_rows - 1u);
        scale[r] = row_scale(row);
        bias[r] = has_bias != 0 ? AddrF32(push.bias).v[row] : 0.0;
        weight[r] = writes_parts_of != 0 ? AddrF32(push.norm_weight).v[row] : 0.0;
    }
    [[unroll]] for (uint n = 0; n < n_columns; n++) {
        const uint column = first_column + n;
        if (column >= n_live) break;
        if (!has_sums(n, split)) continue;
        float column_scale = 1.0;
        if (has_squares) column_scale = normed_scale(squares[n], push.n_blocks * kBlock, push.eps);
        if (scales_are_shared) column_scale = column_scales[n];
        float sum_of_squares = 0.0;
        [[unroll]] for (uint r = 0; r < rows_per_lane; r++) {
            const uint row = first_row + r * lanes + lane;
            if (row < push.n_rows) {
                float value = fma(acc[r * n_columns + n], scale[r] * column_scale, bias[r]);
                if (is_glu != 0) {
                    const float up = acc[((n_weights - 1) * rows_per_lane + r) * n_columns + n] * column_scale;
                    value = value / (1.0 + exp(-value)) * up;
                }
                const uint to = column * push.y_stride + push.y_offset + row;
                if (has_residual != 0) value += residual[to];
                y[to] = value;
                if (writes_parts_of != 0) {
                    normed[column * push.n_rows + row] = value * weight[r];
                    sum_of_squares = fma(value, value, sum_of_squares);
                }
            }
            if (writes_parts_of != 0 && (r + 1u) * lanes % writes_parts_of == 0u) {
                const uint n_parts = (push.n_rows + writes_parts_of - 1u) / writes_parts_of;
                const uint part = (first_row + r * lanes) / writes_parts_of;
                sum_of_squares = subgroupAdd(sum_of_squares);
                if (lane == 0 && part < n_parts) normed[push.parts_out + column * n_parts + part] = sum_of_squares;
                sum_of_squares = 0.0;
            }
        }
    }
}
