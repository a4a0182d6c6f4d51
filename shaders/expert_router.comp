#version 460
// A router of few tokens in one dispatch: logits[t, e] = W[e, :] . x[t, :] (+ bias[e]), and the workgroup that finishes last routes
// (include/expert_route.glsl).
//   W: (n_rows, n_blocks * 32) in tiles of 16 rows; x: (n_tokens, x_stride) f32, normalised here with is_normed (include/normed.glsl)
// The product is that of matvec.comp: a lane owns a row and n_columns columns, subgroups share K.
#include "common.glsl"
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
#include "expert_tiles.glsl"
#include "expert_router.gen.glsl"
#include "normed.glsl"
#include "weight.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_X, scalar) readonly restrict buffer X { vec4 x[]; };
layout(binding = BIND_PARTS, scalar) readonly restrict buffer Parts { float parts[]; };
layout(binding = BIND_LOGITS, scalar) coherent buffer Logits { float logits[]; };
layout(binding = BIND_ARRIVALS, scalar) coherent buffer Arrivals { uint arrivals[]; }; // one, zero before and after
layout(binding = BIND_CHOICES, scalar) writeonly restrict buffer Choices { uvec2 choices[]; };
layout(binding = BIND_TILES, scalar) writeonly restrict buffer Tiles { uvec4 tiles[]; };
layout(binding = BIND_SLOTS, scalar) writeonly restrict buffer Slots { uint slots[]; };

const uint n_splits = local_size / lanes;
const uint n_weights = 1u, rows_per_lane = 1u;
#include "matvec_loop.glsl"
#include "expert_route.glsl"
shared float partial[n_splits > 1u ? (n_splits - 1u) * n_acc * lanes : 1u];
shared float split_squares[n_splits > 1u && is_normed != 0 ? n_splits * n_columns : 1u];
#include "last_workgroup.glsl"

void multiply(uint first_column, uint n_tokens) {
    const uint n_strips = (push.n_rows + kStripRows - 1) / kStripRows;
    const uint lane = gl_SubgroupInvocationID, split = gl_SubgroupID;
    const uint row = gl_WorkGroupID.x * lanes + lane;
    uint x_at[n_columns], part_at[n_columns];
    float squares[n_columns];
    [[unroll]] for (uint n = 0; n < n_columns; n++) { // columns beyond the last repeat it
        const uint column = min(first_column + n, n_tokens - 1u);
        x_at[n] = column * (push.x_stride / 4u);
        part_at[n] = push.parts_at + column * push.n_parts;
    }
    if (is_normed != 0) NORMED_SHARES(parts, part_at, push.n_parts, n_columns, squares)
    float acc[n_acc];
    [[unroll]] for (uint i = 0; i < n_acc; i++) acc[i] = 0.0;
    const uint64_t strip_tile[n_decoded] = { uint64_t(min(row / kStripRows, n_strips - 1u)) * push.n_blocks };
    const uint strip_row[rows_per_lane] = { row % kStripRows };
    accumulate(strip_tile, strip_row, x_at, n_columns, split, n_splits, push.n_blocks, acc);
    if (is_normed != 0) {
        [[unroll]] for (uint n = 0; n < n_columns; n++) squares[n] = subgroupAdd(squares[n]);
    }
    if (n_splits > 1u) {
        if (split > 0) {
            [[unroll]] for (uint i = 0; i < n_acc; i++) partial[((split - 1) * n_acc + i) * lanes + lane] = acc[i];
            if (is_normed != 0 && lane == 0) {
                [[unroll]] for (uint n = 0; n < n_columns; n++) split_squares[split * n_columns + n] = squares[n];
            }
        }
        barrier();
        if (split > 0) return;
        for (uint s = 0; s + 1 < n_splits; s++) {
            [[unroll]] for (uint i = 0; i < n_acc; i++) acc[i] += partial[(s * n_acc + i) * lanes + lane];
            if (is_normed != 0) {
                [[unroll]] for (uint n = 0; n < n_columns; n++) squares[n] += split_squares[(s + 1) * n_columns + n];
            }
        }
    }
    if (row >= push.n_rows) return;
    const float bias = has_router_bias != 0 ? AddrF32(push.bias).v[row] : 0.0;
    [[unroll]] for (uint n = 0; n < n_columns; n++) {
        if (first_column + n >= n_tokens) break;
        const float scale = is_normed != 0 ? normed_scale(squares[n], push.n_blocks * kBlock, push.eps) : 1.0;
        logits[(first_column + n) * push.logits_stride + row] = fma(acc[n], scale, bias);
    }
}

void main() {
    const uint n_tokens = min(counts[kCountTokens], max_tokens);
    if (n_tokens == 0u) { // no tiles either
        if (gl_WorkGroupID.x == 0u && gl_WorkGroupID.y == 0u) route_step(0u);
        return;
    }
    const uint first_column = gl_WorkGroupID.y * n_columns;
    if (first_column >= n_tokens) return;
    multiply(first_column, n_tokens);
    if (is_last(push.arrival_at, gl_NumWorkGroups.x * ((n_tokens + n_columns - 1u) / n_columns), gl_SubgroupID)) route_step(n_tokens);
}
