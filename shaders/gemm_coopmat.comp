#version 460
// y[t, r] = sum_k W[r, k] * x[t, k]  (* scale[r]) (+ bias[r]) (+ residual[t, r]),  or  silu(gate) * up  (see matvec.comp for layouts)
// The loop is include/gemm_direct.glsl where the device's fragment map is known (k_groups), else include/gemm_tile.glsl. The epilogue leaves through a small stage per wave, which bounds, bias and residual need.
#include "common.glsl"
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#include "gemm_coopmat.gen.glsl"
#include "row_scale.glsl"
#include "weight.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_X, scalar) readonly restrict buffer X { vec4 x[]; };
layout(binding = BIND_RESIDUAL, scalar) readonly buffer Residual { float residual[]; };
layout(binding = BIND_Y, scalar) buffer Y { float y[]; };

const uint n_weights = 1u + is_glu;
#include "gemm_tile.glsl"
#include "gemm_direct.glsl"
shared float c_stage[n_waves * frag_m * frag_n];

void weight_row(uint i, out uint64_t tile, out uint row) {
    const uint n_strips = (push.n_rows + kStripRows - 1) / kStripRows;
    row = gl_WorkGroupID.x * tile_m + i % tile_m;
    tile = uint64_t(min(row / kStripRows, n_strips - 1) + (i / tile_m) * n_strips) * push.n_blocks;
    row %= kStripRows;
}

uint x_row(uint column) { return min(gl_WorkGroupID.y * tile_n + column, counts[count_index] - 1); }

void store(uint row, uint column, float value) {
    if (row >= push.n_rows || column >= counts[count_index]) return;
    value *= row_scale(row);
    if (has_bias != 0) value += AddrF32(push.bias).v[row];
    const uint to = column * push.y_stride + push.y_offset + row;
    if (has_residual != 0) value += residual[to];
    y[to] = value;
}

void main() {
    const uint first_row = gl_WorkGroupID.x * tile_m;
    const uint first_column = gl_WorkGroupID.y * tile_n;
    const uint n_columns = counts[count_index];
    if (first_column >= n_columns) return;
    if (k_groups != 0) {
        multiply_direct(false, tile_n);
    } else {
        multiply(false, tile_n);
    }

    const uint lane = gl_SubgroupInvocationID;
    const uint stage = gl_SubgroupID * frag_m * frag_n;
    [[unroll]] for (uint i = 0; i < frags_m; i++) {
        [[unroll]] for (uint n = 0; n < frags_n; n++) {
            if (is_glu != 0) {
                const uint up = ((n_weights - 1) * frags_m + i) * frags_n + n;
                for (uint e = 0; e < acc[i * frags_n + n].length(); e++) {
                    const float g = acc[i * frags_n + n][e];
                    acc[i * frags_n + n][e] = g / (1.0 + exp(-g)) * acc[up][e];
                }
            }
            const uint row = first_row + wave_row() + i * frag_m, column = first_column + wave_column() + n * frag_n;
            if (k_groups != 0) {
                [[unroll]] for (uint e = 0; e < 8; e++) store(row + sum_row(e), column + lane % 16, acc[i * frags_n + n][e]);
            } else {
                coopMatStore(acc[i * frags_n + n], c_stage, stage, frag_m, gl_CooperativeMatrixLayoutColumnMajor);
                barrier();
                for (uint e = lane; e < frag_m * frag_n; e += subgroup_size) store(row + e % frag_m, column + e / frag_m, c_stage[stage + e]);
                barrier();
            }
        }
    }
}
