#version 460
// What matvec_mixed.comp does, on cooperative matrices whose fragment map is known (include/gemm_direct.glsl), for the few columns
// of a step that folds norms.
#include "common.glsl"
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "gemm_mixed.gen.glsl"
#include "normed.glsl"
#include "weight.glsl"
#include "mixed_matrices.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_X, scalar) readonly restrict buffer X { vec4 x[]; };
layout(binding = BIND_X, scalar) readonly restrict buffer XHalves { uvec4 x_halves[]; };
layout(binding = BIND_Y, scalar) writeonly restrict buffer Y { float y[]; };
layout(binding = BIND_PARTS, scalar) readonly restrict buffer Parts { float parts[]; };

const uint n_weights = 1u, x_is_half = 0u;
const bool kScalesX = is_normed != 0;
#include "gemm_tile.glsl"
#include "gemm_direct.glsl"
#include "normed_sum.glsl"

void weight_row(uint i, out uint64_t tile, out uint row) {
    const uint n_strips = (own_rows + kStripRows - 1u) / kStripRows;
    row = own_group * tile_m + i;
    tile = uint64_t(min(row / kStripRows, n_strips - 1u)) * push.n_blocks;
    row %= kStripRows;
}

uint x_row(uint column) { return min(gl_WorkGroupID.y * tile_n + column, counts[kCountTokens] - 1u); }

void main() {
    const uint first_column = gl_WorkGroupID.y * tile_n;
    const uint n_columns = counts[kCountTokens];
    if (first_column >= n_columns) return;
    find_own_matrix(tile_m);
#define MULTIPLY(type)  \
    weight_type = type; \
    multiply_direct(false, tile_n);
    FOR_OWN_TYPE(MULTIPLY)

    const uint lane = gl_SubgroupInvocationID;
    [[unroll]] for (uint i = 0; i < frags_m; i++) {
        [[unroll]] for (uint n = 0; n < frags_n; n++) {
            float sums[8];
            sum_rows(i * frags_n + n, sums);
            const uint row = own_group * tile_m + wave_row() + i * frag_m + sum_row();
            const uint column = first_column + wave_column() + n * frag_n + lane % kFragment;
            if (column >= n_columns) continue;
            [[unroll]] for (uint e = 0; e < 8; e++) {
                if (row + e >= own_rows) break;
                const float bias = has_bias != 0 ? AddrF32(push.bias).v[own_first_row + row + e] : 0.0;
                y[column * push.y_stride + own_first_row + row + e] = sums[e] + bias;
            }
        }
    }
}
