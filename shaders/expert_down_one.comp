#version 460
// The down projection of a step of one token, with the weighted sum over its experts:
//   y[r] = residual[r] + sum_j w_j (down_{e_j}[r] . h[j] + bias_{e_j}[r]) (+ gate * shared[r])
// With writes_normed also for the norm after it (include/normed.glsl).
// Every subgroup takes its share of K of every expert, one after the other: the order of summation is fixed.
#include "common.glsl"
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_basic : require
#if ACT_Q8
#extension GL_EXT_integer_dot_product : require
#endif
#include "expert_down_one.gen.glsl"
#include "expert_tiles.glsl"
#include "expert_home.glsl"
#include "row_scale.glsl"
#include "weight.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_CHOICES, scalar) readonly restrict buffer Choices { uvec2 choices[]; };
layout(binding = BIND_TILES, scalar) readonly restrict buffer Tiles { uvec4 tiles[]; };
layout(binding = BIND_X, scalar) readonly restrict buffer X { vec4 x[]; };
layout(binding = BIND_RESIDUAL, scalar) readonly buffer Residual { float residual[]; };
layout(binding = BIND_SHARED_Y, scalar) readonly buffer SharedY { float shared_y[]; };
layout(binding = BIND_Y, scalar) buffer Y { float y[]; };
layout(binding = BIND_NORMED, scalar) writeonly buffer Normed { float normed[]; };

const uint n_splits = local_size / lanes;
const uint n_weights = 1u;
const uint n_columns = 1u, is_normed = 0u;
#include "matvec_loop.glsl"
#include "matvec_join.glsl"

void main() {
    if (counts[kCountTokens] == 0u) return;
    const uint n_strips = push.n_rows / kStripRows;
    const uint lane = n_splits > 1u ? gl_SubgroupInvocationID : gl_LocalInvocationIndex;
    const uint split = n_splits > 1u ? gl_SubgroupID : 0u;
    const uint first_row = gl_WorkGroupID.x * lanes * rows_per_lane;

    float total[n_acc];
    [[unroll]] for (uint i = 0; i < n_acc; i++) total[i] = 0.0;
    uint strip_row[rows_per_lane];
    [[unroll]] for (uint r = 0; r < rows_per_lane; r++) strip_row[r] = (first_row + r * lanes + lane) % kStripRows;

    for (uint j = 0; j < n_used; j++) {
        const uint expert = choices[j].x;
        const float w = uintBitsToFloat(choices[j].y);
        find_matrix(push.codes, push.scales, push.row_scales, push.far, push.up_strips, expert, is_split != 0 ? tiles[kTileHeader + j].w : 0u);
        float acc[n_acc], scale[n_acc];
        const uint last_row = expert_strip * kStripRows + push.expert_strips * kStripRows - 1u; // lanes beyond the rows decode the last strip
        uint64_t strip_tile[n_decoded];
        [[unroll]] for (uint r = 0; r < rows_per_lane; r++) {
            const uint row = first_row + r * lanes + lane;
            acc[r] = 0.0;
            scale[r] = w * row_scale(min(expert_strip * kStripRows + row, last_row));
            if (has_bias != 0 && split == 0u && row < push.n_rows) total[r] += w * AddrF32(push.bias).v[expert * push.n_rows + row];
            strip_tile[r] = uint64_t(expert_strip + min(row / kStripRows, n_strips - 1)) * push.n_blocks;
        }
        const uint x_at[1] = uint[1](j * (push.x_stride / 4u));
        accumulate(strip_tile, strip_row, x_at, 1u, split, n_splits, push.n_blocks, acc);
        [[unroll]] for (uint i = 0; i < n_acc; i++) total[i] += scale[i] * acc[i];
    }

    float unused[n_columns];
    if (!join_splits(lane, split, total, unused)) return;
    float squares = 0.0;
    [[unroll]] for (uint r = 0; r < rows_per_lane; r++) {
        const uint row = first_row + r * lanes + lane;
        if (row < push.n_rows) {
            float value = residual[row] + total[r];
            if (has_shared_gate != 0) value += uintBitsToFloat(choices[n_used].y) * shared_y[row];
            y[row] = value;
            if (writes_normed != 0) {
                normed[row] = value * AddrF32(push.norm_weight).v[row];
                squares = fma(value, value, squares);
            }
        }
    }
    if (writes_normed != 0) {
        squares = subgroupAdd(squares);
        if (lane == 0) normed[push.parts_out + gl_WorkGroupID.x] = squares;
    }
}
