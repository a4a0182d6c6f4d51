#version 460
// Products of the chosen experts with few rows of x each, by the tiles that routing made (include/expert_tiles.glsl):
//   gate and up:  h[place, r] = act(gate_e[r] . x[token], up_e[r] . x[token])      x: (n_tokens, x_stride)
//   down:         y[slot, r] = down_e[r] . h[place] + bias_e[r]                    y: (n_slots, y_stride)
// A workgroup takes one tile and lanes * rows_per_lane rows, so an expert's weights are read once for up to n_columns places.
// The loop is that of matvec.comp; x may be rows that are still to be normalised (include/normed.glsl).
// With `sums` the workgroup that finishes last among those of its rows also adds up what all of them left in `down`:
//   sum[token, r] = residual[token, r] + sum_j w_j down[slot j, r] (+ gate * shared[token, r])
// in the order of the choices, whoever is last, and with writes_normed also for the norm after it.
#include "common.glsl"
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_basic : require
#if ACT_Q8
#extension GL_EXT_integer_dot_product : require
#endif
#include "expert_tiles.glsl"
#include "expert_matvec.gen.glsl"
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
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_CHOICES, scalar) readonly restrict buffer Choices { uvec2 choices[]; };
layout(binding = BIND_ARRIVALS, scalar) coherent buffer Arrivals { uint arrivals[]; }; // zeroed by routing
layout(binding = BIND_DOWN, scalar) coherent buffer Down { float down[]; };
layout(binding = BIND_RESIDUAL, scalar) readonly buffer Residual { float residual[]; };
layout(binding = BIND_SHARED_Y, scalar) readonly buffer SharedY { float shared_y[]; };
layout(binding = BIND_SUM, scalar) buffer Sum { float sum_y[]; };
layout(binding = BIND_NORMED, scalar) writeonly buffer Normed { float normed[]; };

const uint n_splits = local_size / lanes;
const uint n_weights = activation != kActivationNone ? 2u : 1u;

// Places beyond the last of the tile repeat it.
uint x_row_of(uint n) {
    const uvec4 tile = tiles[kTileHeader + gl_WorkGroupID.y];
    const uint place = tile.y + min(n, tile.z - 1u);
    return takes_tokens != 0 ? slots[place] / n_used : place;
}
uint part_of_column(uint n) { return push.parts_at + x_row_of(n) * push.n_parts; }
#define COLUMN_AT(n) (x_row_of(n) * (push.x_stride / 4u))
#include "matvec_loop.glsl"
#include "matvec_join.glsl"
#include "normed_columns.glsl"
#include "last_workgroup.glsl"

// Subgroups share the tokens.
void sum_tokens(uint first_row, uint lane, uint split) {
    const uint n_tokens = counts[kCountTokens];
    const uint stride = n_used + has_shared_gate;
    for (uint t = split; t < n_tokens; t += n_splits) {
        float squares = 0.0;
        [[unroll]] for (uint r = 0; r < rows_per_lane; r++) {
            const uint row = first_row + r * lanes + lane;
            if (row >= push.n_rows) continue;
            float value = residual[t * push.n_rows + row];
            for (uint j = 0; j < n_used; j++)
                value += uintBitsToFloat(choices[t * stride + j].y) * down[(t * n_used + j) * push.n_rows + row];
            if (has_shared_gate != 0) value += uintBitsToFloat(choices[t * stride + n_used].y) * shared_y[t * push.n_rows + row];
            sum_y[t * push.n_rows + row] = value;
            if (writes_normed != 0) {
                normed[t * push.n_rows + row] = value * AddrF32(push.norm_weight).v[row];
                squares = fma(value, value, squares);
            }
        }
        if (writes_normed != 0) {
            squares = subgroupAdd(squares);
            if (lane == 0) normed[push.parts_at + t * push.n_parts + gl_WorkGroupID.x] = squares;
        }
    }
}

void main() {
    if (gl_WorkGroupID.y >= tiles[0].x) return;
    const uvec4 tile = tiles[kTileHeader + gl_WorkGroupID.y];
    const uint expert = tile.x, first_place = tile.y, n_live = tile.z;
    find_matrix(push.codes, push.scales, push.row_scales, push.far, push.up_strips, expert, tile.w);
    const uint n_strips = push.n_rows / kStripRows; // experts are whole strips
    const uint lane = n_splits > 1u ? gl_SubgroupInvocationID : gl_LocalInvocationIndex;
    const uint split = n_splits > 1u ? gl_SubgroupID : 0u;
    const uint first_row = gl_WorkGroupID.x * lanes * rows_per_lane;

    float acc[n_acc];
    [[unroll]] for (uint i = 0; i < n_acc; i++) acc[i] = 0.0;
    uint64_t strip_tile[n_decoded];
    uint strip_row[rows_per_lane];
    [[unroll]] for (uint r = 0; r < rows_per_lane; r++) {
        const uint row = first_row + r * lanes + lane;
        strip_row[r] = row % kStripRows;
        [[unroll]] for (uint g = 0; g < n_weights; g++)
            strip_tile[g * rows_per_lane + r] =
                uint64_t(expert_strip + min(row / kStripRows, n_strips - 1) + g * expert_up) * push.n_blocks;
    }
    uint x_at[n_columns];
    uint part_at[n_columns];
    float squares[n_columns];
    [[unroll]] for (uint n = 0; n < n_columns; n++) {
        x_at[n] = COLUMN_AT(n);
        part_at[n] = part_of_column(n);
    }
    if (has_squares) NORMED_SHARES(parts, part_at, push.n_parts, n_columns, squares)
    accumulate(strip_tile, strip_row, x_at, n_live, split, n_splits, push.n_blocks, acc);

    if (scales_are_shared) share_scales();
    const bool has_columns = join_splits(lane, split, acc, squares);
    if (sums == 0 && !has_columns) return;
    if (has_squares) {
        [[unroll]] for (uint n = 0; n < n_columns; n++) squares[n] = normed_scale(squares[n], push.n_blocks * kBlock, push.eps);
    }

    [[unroll]] for (uint r = 0; r < rows_per_lane; r++) {
        const uint row = first_row + r * lanes + lane;
        if (row >= push.n_rows || !has_columns) continue;
        const float bias = has_bias != 0 ? AddrF32(push.bias).v[expert * push.n_rows + row] : 0.0;
        const float up_bias = has_bias != 0 && n_weights > 1u ? AddrF32(push.up_bias).v[expert * push.n_rows + row] : 0.0;
        const uint stack_row = expert_strip * kStripRows + row;
        const float scale = row_scale(stack_row), up_scale = n_weights > 1u ? row_scale(stack_row + expert_up * kStripRows) : 1.0;
        [[unroll]] for (uint n = 0; n < n_columns; n++) {
            if (n >= n_live) break;
            if (!has_sums(n, split)) continue;
            const float column_scale = scales_are_shared ? column_scales[n] : has_squares ? squares[n] : 1.0;
            float value = acc[r * n_columns + n] * (scale * column_scale) + bias;
            if (n_weights > 1u) {
                const float up = acc[((n_weights - 1u) * rows_per_lane + r) * n_columns + n];
                value = gated(activation, value, up * (up_scale * column_scale) + up_bias);
            }
            const uint to = takes_tokens != 0 ? first_place + n : slots[first_place + n];
            if (sums != 0) {
                down[to * push.n_rows + row] = value;
            } else {
                y[to * push.y_stride + row] = value;
            }
        }
    }
    if (sums != 0 && n_splits > 1u && n_columns > group_columns) { // stores of all subgroups, for the first to release
        memoryBarrierBuffer();
        barrier();
    }
    if (sums != 0 && is_last(push.arrivals_at + gl_WorkGroupID.x, tiles[0].x, split)) sum_tokens(first_row, lane, split);
}
