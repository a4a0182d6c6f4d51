#version 460
// h[place, r] = act(gate_e[r] . x[token], up_e[r] . x[token])  where gate and up of the experts lie apart, of different types or too
// large for one allocation: what expert_matvec.comp does in one dispatch for matrices of one stack.
#include "common.glsl"
#extension GL_EXT_integer_dot_product : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_basic : require
#include "expert_tiles.glsl"
#include "expert_matvec_mixed.gen.glsl"
#include "normed.glsl"
#include "expert_home.glsl"
#include "row_scale.glsl"
#include "weight.glsl"
#include "activation.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_TILES, scalar) readonly restrict buffer Tiles { uvec4 tiles[]; };
layout(binding = BIND_SLOTS, scalar) readonly restrict buffer Slots { uint slots[]; };
layout(binding = BIND_X, scalar) readonly restrict buffer X { vec4 x[]; };
layout(binding = BIND_Y, scalar) writeonly restrict buffer Y { float y[]; };
layout(binding = BIND_PARTS, scalar) readonly restrict buffer Parts { float parts[]; };

const uint n_splits = local_size / lanes;
const uint n_weights = 1u; // at a time

// Places beyond the last of the tile repeat it.
uint token_of(uint n) {
    const uvec4 tile = tiles[kTileHeader + gl_WorkGroupID.y];
    return slots[tile.y + min(n, tile.z - 1u)] / n_used;
}
uint part_of_column(uint n) { return push.parts_at + token_of(n) * push.n_parts; }
#define COLUMN_AT(n) (token_of(n) * (push.n_blocks * (kBlock / 4u)))
#include "matvec_pair.glsl"
#include "matvec_join.glsl"
#include "normed_columns.glsl"

void main() {
    if (gl_WorkGroupID.y >= tiles[0].x) return;
    const uvec4 tile = tiles[kTileHeader + gl_WorkGroupID.y];
    const uint expert = tile.x, first_place = tile.y, n_live = tile.z;
    const uint n_strips = push.n_rows / kStripRows; // experts are whole strips
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

    float acc[n_pair_acc];
    uint64_t strip_tile[n_decoded];
    uint strip_row[rows_per_lane];
#define MULTIPLY(type, which)                                                                        \
    [[unroll]] for (uint r = 0; r < rows_per_lane; r++) {                                            \
        const uint row = first_row + r * lanes + lane, strip = min(row / kStripRows, n_strips - 1u); \
        strip_row[r] = row % kStripRows;                                                             \
        strip_tile[r] = uint64_t(expert_strip + strip) * push.n_blocks;                              \
    }                                                                                                \
    MULTIPLY_ONE(type, which, strip_tile, strip_row, x_at, n_live, split, acc)
    find_matrix(push.codes, push.scales, push.row_scales, push.far, 0u, expert, tile.w);
    weight_table = push.table;
    MULTIPLY(type_0, 0u)
    const uint64_t gate_row_scales = row_scales_at;
    find_matrix(push.up_codes, push.up_scales, push.up_row_scales, push.up_far, 0u, expert, tile.w);
    weight_table = push.up_table;
    MULTIPLY(type_1, 1u)
    const uint64_t up_row_scales = row_scales_at;

    if (scales_are_shared) share_scales();
    if (!join_splits(lane, split, acc, squares)) return;
    if (has_squares) {
        [[unroll]] for (uint n = 0; n < n_columns; n++) squares[n] = normed_scale(squares[n], push.n_blocks * kBlock, push.eps);
    }
    [[unroll]] for (uint r = 0; r < rows_per_lane; r++) {
        const uint row = first_row + r * lanes + lane;
        if (row >= push.n_rows) continue;
        const float bias = has_bias != 0 ? AddrF32(push.bias).v[expert * push.n_rows + row] : 0.0;
        const float up_bias = has_bias != 0 ? AddrF32(push.up_bias).v[expert * push.n_rows + row] : 0.0;
        row_scales_at = gate_row_scales;
        const float gate_scale = row_scale(expert_strip * kStripRows + row);
        row_scales_at = up_row_scales;
        const float up_scale = row_scale(expert_strip * kStripRows + row);
        [[unroll]] for (uint n = 0; n < n_columns; n++) {
            if (n >= n_live) break;
            if (!has_sums(n, split)) continue;
            const float column_scale = scales_are_shared ? column_scales[n] : has_squares ? squares[n] : 1.0;
            const float gate = acc[r * n_columns + n] * (gate_scale * column_scale) + bias;
            const float up = acc[n_acc + r * n_columns + n] * (up_scale * column_scale) + up_bias;
            y[(first_place + n) * push.n_rows + row] = gated(activation, gate, up);
        }
    }
}
