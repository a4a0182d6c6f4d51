#version 460
// y[t, r] = sum_k W[r, k] * x[t, k]  (* scale[r]) (+ bias[r]) (+ residual[t, r]),  or  silu(gate) * up  (see matvec.comp for layouts)
// A workgroup makes tile_m rows x tile_n columns, a subgroup wave_m x wave_n of them, in steps of one block of 32 k:
// weights are decoded to f16 and activations rounded to f16 into shared memory, fragments are loaded from there
// (rows of 80 bytes: 16-byte aligned as coopMatLoad demands, and no two rows of a fragment on one bank group).
// Sums in f32. The epilogue leaves through a small stage per wave, which bounds, bias and residual need.
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

const uint kRowWords = 5; // uvec4 per staged row of 32 halves: 64 bytes and 16 of padding
const uint n_weights = 1u + is_glu;
const uint frags_m = wave_m / frag_m;
const uint frags_n = wave_n / frag_n;
const uint waves_m = tile_m / wave_m;
const uint n_waves = local_size / subgroup_size;
const uint a_rows = n_weights * tile_m;

shared uvec4 a_stage[a_rows * kRowWords];
shared uvec4 b_stage[tile_n * kRowWords];
shared float c_stage[n_waves * frag_m * frag_n];

void main() {
    const uint first_row = gl_WorkGroupID.x * tile_m;
    const uint first_column = gl_WorkGroupID.y * tile_n;
    const uint n_columns = counts[count_index];
    if (first_column >= n_columns) return;
    const uint n_strips = (push.n_rows + kStripRows - 1) / kStripRows;
    const uint wave = gl_SubgroupID;
    const uint lane = gl_SubgroupInvocationID;
    const uint wave_row = (wave % waves_m) * wave_m;
    const uint wave_column = (wave / waves_m) * wave_n;

    coopmat<float, gl_ScopeSubgroup, frag_m, frag_n, gl_MatrixUseAccumulator> acc[n_weights * frags_m * frags_n];
    [[unroll]] for (uint i = 0; i < n_weights * frags_m * frags_n; i++)
        acc[i] = coopmat<float, gl_ScopeSubgroup, frag_m, frag_n, gl_MatrixUseAccumulator>(0.0);

    for (uint block = 0; block < push.n_blocks; block++) {
        barrier();
        for (uint i = gl_LocalInvocationIndex; i < a_rows; i += local_size) {
            const uint row = first_row + i % tile_m;
            const uint strip = min(row / kStripRows, n_strips - 1) + (i / tile_m) * n_strips;
            float w[32];
            weight_decode(push.codes, push.scales, uint64_t(strip) * push.n_blocks + block, row % kStripRows, w);
            [[unroll]] for (uint g = 0; g < 4; g++)
                a_stage[i * kRowWords + g] =
                    uvec4(packHalf2x16(vec2(w[8 * g], w[8 * g + 1])), packHalf2x16(vec2(w[8 * g + 2], w[8 * g + 3])),
                          packHalf2x16(vec2(w[8 * g + 4], w[8 * g + 5])), packHalf2x16(vec2(w[8 * g + 6], w[8 * g + 7])));
        }
        for (uint i = gl_LocalInvocationIndex; i < tile_n * 4; i += local_size) {
            const uint column = min(first_column + i / 4, n_columns - 1);
            const uint at = column * (push.x_stride / 4) + block * 8 + (i % 4) * 2;
            const vec4 lo = x[at], hi = x[at + 1];
            b_stage[(i / 4) * kRowWords + i % 4] =
                uvec4(packHalf2x16(lo.xy), packHalf2x16(lo.zw), packHalf2x16(hi.xy), packHalf2x16(hi.zw));
        }
        barrier();
        [[unroll]] for (uint k = 0; k < kBlock; k += frag_k) {
            coopmat<float16_t, gl_ScopeSubgroup, frag_m, frag_k, gl_MatrixUseA> a[n_weights * frags_m];
            [[unroll]] for (uint i = 0; i < n_weights * frags_m; i++) {
                const uint row = (i / frags_m) * tile_m + wave_row + (i % frags_m) * frag_m;
                coopMatLoad(a[i], a_stage, row * kRowWords + k / 8, kRowWords, gl_CooperativeMatrixLayoutRowMajor);
            }
            [[unroll]] for (uint n = 0; n < frags_n; n++) {
                coopmat<float16_t, gl_ScopeSubgroup, frag_k, frag_n, gl_MatrixUseB> b;
                coopMatLoad(b, b_stage, (wave_column + n * frag_n) * kRowWords + k / 8, kRowWords,
                            gl_CooperativeMatrixLayoutColumnMajor);
                [[unroll]] for (uint i = 0; i < n_weights * frags_m; i++)
                    acc[i * frags_n + n] = coopMatMulAdd(a[i], b, acc[i * frags_n + n]);
            }
        }
    }

    const uint stage = wave * frag_m * frag_n;
    [[unroll]] for (uint i = 0; i < frags_m; i++) {
        [[unroll]] for (uint n = 0; n < frags_n; n++) {
            if (is_glu != 0) {
                const uint up = ((n_weights - 1) * frags_m + i) * frags_n + n;
                for (uint e = 0; e < acc[i * frags_n + n].length(); e++) {
                    const float g = acc[i * frags_n + n][e];
                    acc[i * frags_n + n][e] = g / (1.0 + exp(-g)) * acc[up][e];
                }
            }
            coopMatStore(acc[i * frags_n + n], c_stage, stage, frag_m, gl_CooperativeMatrixLayoutColumnMajor);
            barrier();
            for (uint e = lane; e < frag_m * frag_n; e += subgroup_size) {
                const uint row = first_row + wave_row + i * frag_m + e % frag_m;
                const uint column = first_column + wave_column + n * frag_n + e / frag_m;
                if (row >= push.n_rows || column >= n_columns) continue;
                float value = c_stage[stage + e] * row_scale(row);
                if (has_bias != 0) value += AddrF32(push.bias).v[row];
                const uint to = column * push.y_stride + push.y_offset + row;
                if (has_residual != 0) value += residual[to];
                y[to] = value;
            }
            barrier();
        }
    }
}
