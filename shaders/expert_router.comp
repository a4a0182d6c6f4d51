#version 460
// A router of few tokens in one dispatch: logits[t, e] = W[e, :] . x[t, :] (+ bias[e]), and the workgroup that finishes last routes
// (include/expert_route.glsl).
//   W: (n_rows, n_blocks * 32) in tiles of 16 rows; x: (n_tokens, n_blocks * 32) f32, normalised here with is_normed (include/normed.glsl)
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
#include "router_columns.glsl"
#include "matvec_loop.glsl"
#include "matvec_join.glsl"
#define n_router_rows n_decoded
#include "normed_columns.glsl"
#include "expert_route.glsl"
#include "last_workgroup.glsl"

void router_accumulate(uint64_t strip_tile[n_router_rows], uint strip_row[n_router_rows], uint x_at[n_columns], uint split, inout float acc[n_sums]) {
    const uint row[rows_per_lane] = { strip_row[0] };
    accumulate(strip_tile, row, x_at, n_columns, split, n_splits, push.n_blocks, acc);
}
#include "router_product.glsl"

void main() {
    const uint n_tokens = min(counts[kCountTokens], max_tokens);
    if (n_tokens == 0u) { // no tiles either
        if (gl_WorkGroupID.x == 0u && gl_WorkGroupID.y == 0u) route_step(0u);
        return;
    }
    const uint first_column = gl_WorkGroupID.y * n_columns;
    if (first_column >= n_tokens) return;
    multiply_router(gl_WorkGroupID.x, first_column, n_tokens);
    if (is_last(push.arrival_at, gl_NumWorkGroups.x * ((n_tokens + n_columns - 1u) / n_columns), gl_SubgroupID)) route_step(n_tokens);
}
