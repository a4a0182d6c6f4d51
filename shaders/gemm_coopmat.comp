#version 460
// y[t, r] = sum_k W[r, k] * x[t, k]  (* scale[r]) (+ bias[r]) (+ residual[t, r]),  or  silu(gate) * up  (see matvec.comp for layouts)
// The loop is include/gemm_direct.glsl where the device's fragment map is known (k_groups), else include/gemm_tile.glsl, whose
// sums leave through a small stage per wave, which bounds, bias and residual need.
// The first takes and makes what a norm is folded into (include/normed.glsl): rows are normalised before they are rounded to f16,
// which could not hold all of them otherwise, and a workgroup writes sums of squares of writes_parts_of rows each.
#include "common.glsl"
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "gemm_coopmat.gen.glsl"
#include "normed.glsl"
#include "row_scale.glsl"
#include "weight.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_X, scalar) readonly restrict buffer X { vec4 x[]; };
layout(binding = BIND_X, scalar) readonly restrict buffer XHalves { uvec4 x_halves[]; };
layout(binding = BIND_RESIDUAL, scalar) readonly buffer Residual { float residual[]; };
#include "y_store.glsl"
layout(binding = BIND_PARTS, scalar) readonly restrict buffer Parts { float parts[]; };
layout(binding = BIND_ROWS, scalar) readonly restrict buffer Rows { uint rows[]; };
layout(binding = BIND_NORMED, scalar) writeonly buffer Normed { float normed[]; };

const uint n_weights = 1u + is_glu;
const bool kScalesX = is_normed != 0;
#include "gemm_tile.glsl"
#include "gemm_direct.glsl"
#include "normed_sum.glsl"
shared float c_stage[n_waves * frag_m * frag_n];
shared float fragment_squares[writes_parts_of != 0 ? tile_m / kFragment * tile_n : 1u]; // of a fragment's rows, by column

void weight_row(uint i, out uint64_t tile, out uint row) {
    const uint n_strips = (push.n_rows + kStripRows - 1) / kStripRows;
    row = gl_WorkGroupID.x * tile_m + i % tile_m;
    tile = uint64_t(min(row / kStripRows, n_strips - 1) + (i / tile_m) * n_strips) * push.n_blocks;
    row %= kStripRows;
}

uint x_row(uint column) {
    const uint at = min(gl_WorkGroupID.y * tile_n + column, counts[count_index] - 1);
    return gathers != 0 ? rows[at] : at;
}

void store(uint row, uint column, float value) {
    if (row >= push.n_rows || column >= counts[count_index]) return;
    value *= row_scale(row);
    if (has_bias != 0) value += AddrF32(push.bias).v[row];
    const uint to = column * push.y_stride + push.y_offset + row;
    if (has_residual != 0) value += residual[to];
    store_y(to, value);
}

// Eight rows of a column, a multiple of 8 the first. All loads come before the stores, which they might be in the way of otherwise.
// Returns the sum of squares of what is stored.
float store_rows(uint row, uint column, float value[8]) {
    if (row >= push.n_rows || column >= counts[count_index]) return 0.0;
    const uint to = column * push.y_stride + push.y_offset + row, n_here = has_odd_rows != 0 ? push.n_rows - row : 8u;
    if (push.row_scales != 0) {
        [[unroll]] for (uint e = 0; e < 8; e++) value[e] *= AddrF32(push.row_scales).v[row + min(e, n_here - 1u)];
    }
    if (has_bias != 0) {
        [[unroll]] for (uint e = 0; e < 8; e++) value[e] += AddrF32(push.bias).v[row + min(e, n_here - 1u)];
    }
    if (has_residual != 0) {
        [[unroll]] for (uint e = 0; e < 8; e++) value[e] += residual[to + min(e, n_here - 1u)];
    }
    float squares = 0.0;
    [[unroll]] for (uint e = 0; e < 8; e += 2) {
        if (e + 1u < n_here) {
            store_y_pair(to, e, value[e], value[e + 1]);
        } else if (e < n_here) {
            store_y(to + e, value[e]);
        }
    }
    if (writes_parts_of != 0) {
        [[unroll]] for (uint e = 0; e < 8; e++) {
            if (e >= n_here) continue;
            squares = fma(value[e], value[e], squares);
            normed[column * push.n_rows + row + e] = value[e] * AddrF32(push.norm_weight).v[row + e];
        }
    }
    return squares;
}

// Sums of squares of the workgroup's rows, a part of writes_parts_of of them each.
void store_parts(uint first_column, uint n_columns) {
    const uint n_parts = (push.n_rows + writes_parts_of - 1) / writes_parts_of, fragments = writes_parts_of / kFragment;
    barrier();
    for (uint i = gl_LocalInvocationIndex; i < tile_m / writes_parts_of * tile_n; i += local_size) {
        const uint column = i % tile_n, own = i / tile_n;
        const uint part = gl_WorkGroupID.x * (tile_m / writes_parts_of) + own;
        if (part >= n_parts || first_column + column >= n_columns) continue;
        float sum = 0.0;
        for (uint f = 0; f < fragments; f++) sum += fragment_squares[(own * fragments + f) * tile_n + column];
        normed[push.parts_out + (first_column + column) * n_parts + part] = sum;
    }
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
                float sums[8];
                sum_rows(i * frags_n + n, sums);
                float squares = store_rows(row + sum_row(), column + lane % kFragment, sums);
                if (writes_parts_of != 0) { // the other half of the rows is the other half of the wave
                    squares += subgroupShuffleXor(squares, kFragment);
                    if (lane < kFragment)
                        fragment_squares[(wave_row() / kFragment + i) * tile_n + wave_column() + n * kFragment + lane] = squares;
                }
            } else {
                coopMatStore(acc[i * frags_n + n], c_stage, stage, frag_m, gl_CooperativeMatrixLayoutColumnMajor);
                barrier();
                for (uint e = lane; e < frag_m * frag_n; e += subgroup_size) store(row + e % frag_m, column + e / frag_m, c_stage[stage + e]);
                barrier();
            }
        }
    }
    if (writes_parts_of != 0) store_parts(first_column, n_columns);
}
