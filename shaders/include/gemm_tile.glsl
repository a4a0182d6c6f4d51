// The loop of a matrix product on cooperative matrices, for gemm_coopmat.comp and the kernel of experts. A workgroup makes
// tile_m rows (of each of n_weights matrices: gate and up) x tile_n columns, a subgroup wave_m x wave_n of them, in steps of
// one block of 32 k: weights are decoded to f16 and activations rounded to f16 into shared memory, fragments are loaded from
// there (rows of 80 bytes: 16-byte aligned as coopMatLoad demands, and no two rows of a fragment on one bank group). Sums in
// f32 are left in acc[(weight * frags_m + i) * frags_n + n].
// The includer declares push.codes, push.scales, push.n_blocks, push.x_stride, the buffers x of vec4 and x_halves of eight f16 each, of
// which x_is_half says what is there, the constants, and later
//   void weight_row(uint i, out uint64_t tile, out uint row)    where staged row i (tile_m rows of gate, then of up) begins
//   uint x_row(uint column)                                     the row of x of a column of the tile
#include "rounded_halves.glsl"
#ifndef WEIGHT_CODES // experts: expert_home.glsl
#define WEIGHT_CODES push.codes
#define WEIGHT_SCALES push.scales
#endif
const uint kRowWords = 5; // uvec4 per staged row of 32 halves: 64 bytes and 16 of padding
const uint frags_m = wave_m / frag_m;
const uint frags_n = wave_n / frag_n;
const uint waves_m = tile_m / wave_m;
const uint n_waves = local_size / subgroup_size;
const uint a_rows = n_weights * tile_m;
const uint n_acc = n_weights * frags_m * frags_n;

void weight_row(uint i, out uint64_t tile, out uint row);
uint x_row(uint column);

shared uvec4 a_stage[a_rows * kRowWords];
shared uvec4 b_stage[tile_n * kRowWords];

coopmat<float, gl_ScopeSubgroup, frag_m, frag_n, gl_MatrixUseAccumulator> acc[n_acc];

uint wave_row() { return (gl_SubgroupID % waves_m) * wave_m; }
uint wave_column() { return (gl_SubgroupID / waves_m) * wave_n; }

// Fragments of columns from n_live on are left out when `masks` is set: worth a branch where tiles are often half empty.
void multiply(bool masks, uint n_live) {
    [[unroll]] for (uint i = 0; i < n_acc; i++)
        acc[i] = coopmat<float, gl_ScopeSubgroup, frag_m, frag_n, gl_MatrixUseAccumulator>(0.0);
    for (uint block = 0; block < push.n_blocks; block++) {
        barrier();
        for (uint i = gl_LocalInvocationIndex; i < a_rows; i += local_size) {
            uint64_t tile;
            uint row;
            weight_row(i, tile, row);
            float w[32];
            weight_decode(WEIGHT_CODES, WEIGHT_SCALES, tile + block, row, w);
            [[unroll]] for (uint g = 0; g < 4; g++)
                a_stage[i * kRowWords + g] = rounded_halves(vec4(w[8 * g], w[8 * g + 1], w[8 * g + 2], w[8 * g + 3]),
                                                            vec4(w[8 * g + 4], w[8 * g + 5], w[8 * g + 6], w[8 * g + 7]));
        }
        for (uint i = gl_LocalInvocationIndex; i < tile_n * 4; i += local_size) {
            const uint at = x_row(i / 4) * (push.x_stride / (x_is_half != 0 ? 8 : 4));
            const uint from = block * 4 + i % 4, to = (i / 4) * kRowWords + i % 4;
            if (x_is_half != 0) {
                b_stage[to] = x_halves[at + from];
            } else {
                b_stage[to] = rounded_halves(x[at + 2 * from], x[at + 2 * from + 1]);
            }
        }
        barrier();
        [[unroll]] for (uint k = 0; k < kBlock; k += frag_k) {
            coopmat<float16_t, gl_ScopeSubgroup, frag_m, frag_k, gl_MatrixUseA> a[n_weights * frags_m];
            [[unroll]] for (uint i = 0; i < n_weights * frags_m; i++) {
                const uint row = (i / frags_m) * tile_m + wave_row() + (i % frags_m) * frag_m;
                coopMatLoad(a[i], a_stage, row * kRowWords + k / 8, kRowWords, gl_CooperativeMatrixLayoutRowMajor);
            }
            [[unroll]] for (uint n = 0; n < frags_n; n++) {
                if (masks && wave_column() + n * frag_n >= n_live) continue;
                coopmat<float16_t, gl_ScopeSubgroup, frag_k, frag_n, gl_MatrixUseB> b;
                coopMatLoad(b, b_stage, (wave_column() + n * frag_n) * kRowWords + k / 8, kRowWords,
                            gl_CooperativeMatrixLayoutColumnMajor);
                [[unroll]] for (uint i = 0; i < n_weights * frags_m; i++)
                    acc[i * frags_n + n] = coopMatMulAdd(a[i], b, acc[i * frags_n + n]);
            }
        }
    }
}
