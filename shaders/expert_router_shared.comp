#version 460
// What expert_router.comp does, for a router of f32, and in further workgroups the first product of a shared expert whose type is not
// that of the routed ones; both read the same x, and neither waits for the other:
//   h[t, r] = silu(gate[r] . x[t]) * (up[r] . x[t])      (n_tokens, n_hidden) f32
//   gate over up: (2 * n_hidden, n_blocks * 32) in tiles of 16 rows; of different types each is a matrix of its own (WEIGHT_MIXED)
// Both are products as in matvec.comp.
#include "common.glsl"
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
#if ACT_Q8 || WEIGHT_MIXED
#extension GL_EXT_integer_dot_product : require
#endif
#include "expert_tiles.glsl"
#if WEIGHT_MIXED
#include "expert_router_shared_mixed.gen.glsl"
#else
#include "expert_router_shared.gen.glsl"
#endif
#include "normed.glsl"
#include "weight.glsl"
#include "activation.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_X, scalar) readonly restrict buffer X { vec4 x[]; };
layout(binding = BIND_PARTS, scalar) readonly restrict buffer Parts { float parts[]; };
layout(binding = BIND_LOGITS, scalar) coherent buffer Logits { float logits[]; };
layout(binding = BIND_ARRIVALS, scalar) coherent buffer Arrivals { uint arrivals[]; }; // one, zero before and after
layout(binding = BIND_CHOICES, scalar) writeonly restrict buffer Choices { uvec2 choices[]; };
layout(binding = BIND_TILES, scalar) writeonly restrict buffer Tiles { uvec4 tiles[]; };
layout(binding = BIND_SLOTS, scalar) writeonly restrict buffer Slots { uint slots[]; };
layout(binding = BIND_HIDDEN, scalar) writeonly restrict buffer Hidden { float hidden[]; };

const uint n_splits = local_size / lanes;
#include "router_columns.glsl"
#if WEIGHT_MIXED
const uint n_weights = 1u; // at a time
uint64_t codes_at, scales_at;
#define WEIGHT_CODES codes_at
#define WEIGHT_SCALES scales_at
#include "matvec_pair.glsl"
const uint n_router_rows = 2u * rows_per_lane;
#else
const uint n_weights = 2u;
#include "matvec_loop.glsl"
#define n_router_rows n_decoded
#endif
#include "matvec_join.glsl"
#include "normed_columns.glsl"
#include "expert_route.glsl"
#include "last_workgroup.glsl"

// The router's rows are as many a lane as the other product decodes, so that both end alike.
void router_accumulate(uint64_t strip_tile[n_router_rows], uint strip_row[n_router_rows], uint x_at[n_columns], uint split, inout float acc[n_sums]) {
    for (uint block = split; block < push.n_blocks; block += n_splits) {
        vec4 w[n_router_rows * 8];
        [[unroll]] for (uint r = 0; r < n_router_rows; r++) {
            [[unroll]] for (uint g = 0; g < 8; g++)
                w[r * 8 + g] = uintBitsToFloat(load_granule(tile_at(push.router, strip_tile[r] + block, 2048u), g, strip_row[r]));
        }
        [[unroll]] for (uint n = 0; n < n_columns; n++) {
            [[unroll]] for (uint g = 0; g < 8; g++) {
                const vec4 v = x[x_at[n] + block * 8u + g];
                [[unroll]] for (uint r = 0; r < n_router_rows; r++) {
                    const uint i = r * n_columns + n;
                    [[unroll]] for (uint e = 0; e < 4; e++) acc[i] = fma(w[r * 8 + g][e], v[e], acc[i]);
                }
            }
        }
    }
}
#include "router_product.glsl"

void multiply_shared(uint group, uint first_column, uint n_tokens) {
    const uint n_strips = push.n_hidden / kStripRows;
    const uint lane = gl_SubgroupInvocationID, split = gl_SubgroupID;
    const uint first_row = group * lanes * rows_per_lane;
    uint x_at[n_columns];
    float squares[n_columns];
    begin_columns(x_at, squares);
    float acc[n_sums];
    uint64_t strip_tile[n_decoded]; // of up behind those of gate
    uint strip_row[rows_per_lane];
    [[unroll]] for (uint r = 0; r < rows_per_lane; r++) {
        const uint row = first_row + r * lanes + lane;
        strip_row[r] = row % kStripRows;
        [[unroll]] for (uint g = 0; g < n_weights; g++)
            strip_tile[g * rows_per_lane + r] = uint64_t(min(row / kStripRows, n_strips - 1u) + g * n_strips) * push.n_blocks;
    }
#if WEIGHT_MIXED
    codes_at = push.codes;
    scales_at = push.scales;
    weight_table = push.table;
    MULTIPLY_ONE(type_0, 0u, strip_tile, strip_row, x_at, n_columns, split, acc)
    codes_at = push.up_codes;
    scales_at = push.up_scales;
    weight_table = push.up_table;
    MULTIPLY_ONE(type_1, 1u, strip_tile, strip_row, x_at, n_columns, split, acc)
#else
    [[unroll]] for (uint i = 0; i < n_acc; i++) acc[i] = 0.0;
    accumulate(strip_tile, strip_row, x_at, n_columns, split, n_splits, push.n_blocks, acc);
#endif
    if (!end_columns(acc, squares)) return;
    [[unroll]] for (uint n = 0; n < n_columns; n++) {
        if (first_column + n >= n_tokens) break;
        if (!has_sums(n, split)) continue;
        const float scale = column_scale(n, squares);
        [[unroll]] for (uint r = 0; r < rows_per_lane; r++) {
            const uint row = first_row + r * lanes + lane;
            if (row >= push.n_hidden) break;
            const float gate = acc[r * n_columns + n] * scale, up = acc[(rows_per_lane + r) * n_columns + n] * scale;
            hidden[(first_column + n) * push.n_hidden + row] = gated(kActivationSilu, gate, up);
        }
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
    const uint group_rows = n_router_rows * lanes, router_groups = (push.n_rows + group_rows - 1u) / group_rows;
    if (gl_WorkGroupID.x >= router_groups) {
        multiply_shared(gl_WorkGroupID.x - router_groups, first_column, n_tokens);
        return;
    }
    multiply_router(gl_WorkGroupID.x, first_column, n_tokens);
    if (n_splits > 1u && n_columns > group_columns) { // logits of all subgroups, for the first to release
        memoryBarrierBuffer();
        barrier();
    }
    if (is_last(push.arrival_at, router_groups * ((n_tokens + n_columns - 1u) / n_columns), gl_SubgroupID)) route_step(n_tokens);
}
