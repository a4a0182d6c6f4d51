#version 460
// Products of experts with many rows of x each, on cooperative matrices; see expert_matvec.comp for what is computed and
// include/gemm_direct.glsl and include/gemm_tile.glsl for how. The group counts come from routing, so no workgroup is empty; fragments of columns that a
// tile has no places for are left out. A wave spans all columns of its tile, so that a half empty tile idles no wave.
#include "common.glsl"
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "expert_tiles.glsl"
#include "expert_gemm.gen.glsl"
#include "expert_home.glsl"
#include "row_scale.glsl"
#include "weight.glsl"
#include "activation.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_TILES, scalar) readonly restrict buffer Tiles { uvec4 tiles[]; };
layout(binding = BIND_SLOTS, scalar) readonly restrict buffer Slots { uint slots[]; };
layout(binding = BIND_X, scalar) readonly restrict buffer X { vec4 x[]; };
layout(binding = BIND_X, scalar) readonly restrict buffer XHalves { uvec4 x_halves[]; };
#include "y_store.glsl"

const uint n_weights = activation != kActivationNone ? 2u : 1u;
const bool kScalesX = false;
#include "gemm_tile.glsl"
#include "gemm_direct.glsl"
shared float c_stage[n_waves * n_weights * frag_m * frag_n];
shared uint x_rows[tile_n];
shared uint y_rows[tile_n];

void weight_row(uint i, out uint64_t tile, out uint row) {
    const uint n_strips = push.n_rows / kStripRows; // experts are whole strips
    row = gl_WorkGroupID.x * tile_m + i % tile_m;
    tile = uint64_t(expert_strip + min(row / kStripRows, n_strips - 1) + (i / tile_m) * expert_up) * push.n_blocks;
    row %= kStripRows;
}

uint x_row(uint column) { return x_rows[column]; }
float x_scale(uint row, uint share, uint n_shares) { return 1.0; }

float finished(uint expert, uint row, float value, float up) {
    const uint stack_row = expert_strip * kStripRows + row;
    value *= row_scale(stack_row);
    if (has_bias != 0) value += AddrF32(push.bias).v[expert * push.n_rows + row];
    if (n_weights > 1u) {
        up *= row_scale(stack_row + expert_up * kStripRows);
        if (has_bias != 0) up += AddrF32(push.up_bias).v[expert * push.n_rows + row];
        value = gated(activation, value, up);
    }
    return value;
}

void store(uint expert, uint n_live, uint row, uint column, float value, float up) {
    if (row >= push.n_rows || column >= n_live) return;
    store_y(y_rows[column] * push.y_stride + row, finished(expert, row, value, up));
}

// The same of eight rows: experts are whole strips.
void store_rows(uint expert, uint n_live, uint row, uint column, float value[8], float up[8]) {
    if (row >= push.n_rows || column >= n_live) return;
    const uint to = y_rows[column] * push.y_stride + row;
    [[unroll]] for (uint e = 0; e < 8; e++) value[e] = finished(expert, row + e, value[e], up[e]);
    [[unroll]] for (uint e = 0; e < 8; e += 2) store_y_pair(to, e, value[e], value[e + 1]);
}

void main() {
    if (gl_WorkGroupID.y >= tiles[0].x) return;
    const uvec4 tile = tiles[kTileHeader + gl_WorkGroupID.y];
    const uint expert = tile.x, n_live = tile.z;
    find_matrix(push.codes, push.scales, push.row_scales, push.far, push.up_strips, expert, tile.w);
    for (uint i = gl_LocalInvocationIndex; i < tile_n; i += local_size) {
        const uint place = tile.y + min(i, n_live - 1u);
        const uint slot = slots[place];
        x_rows[i] = takes_tokens != 0 ? slot / n_used : place;
        y_rows[i] = takes_tokens != 0 ? place : slot;
    }
    if (k_groups != 0) { // both begin with a barrier
        multiply_direct(true, n_live);
    } else {
        multiply(true, n_live);
    }

    const uint lane = gl_SubgroupInvocationID;
    const uint stage = gl_SubgroupID * n_weights * frag_m * frag_n;
    const uint first_up = (n_weights - 1u) * frags_m * frags_n;
    [[unroll]] for (uint i = 0; i < frags_m; i++) {
        [[unroll]] for (uint n = 0; n < frags_n; n++) {
            const uint row = gl_WorkGroupID.x * tile_m + wave_row() + i * frag_m, column = wave_column() + n * frag_n;
            if (k_groups != 0) {
                float value[8], up[8];
                sum_rows(i * frags_n + n, value);
                if (n_weights > 1u) sum_rows(first_up + i * frags_n + n, up);
                store_rows(expert, n_live, row + sum_row(), column + lane % 16, value, up);
            } else {
                [[unroll]] for (uint g = 0; g < n_weights; g++)
                    coopMatStore(acc[(g * frags_m + i) * frags_n + n], c_stage, stage + g * frag_m * frag_n, frag_m,
                                 gl_CooperativeMatrixLayoutColumnMajor);
                barrier();
                for (uint e = lane; e < frag_m * frag_n; e += subgroup_size)
                    store(expert, n_live, row + e % frag_m, column + e / frag_m, c_stage[stage + e],
                          c_stage[stage + (n_weights - 1u) * frag_m * frag_n + e]);
                barrier();
            }
        }
    }
}
