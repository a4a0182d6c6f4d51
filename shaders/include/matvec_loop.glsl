// The loop of a matrix product with few columns, for matvec.comp and the kernels of experts. A lane owns rows_per_lane rows
// of n_weights matrices (gate and up) and n_columns columns.
// The includer declares push.codes and push.scales, the buffer x (and x_scales with ACT_Q8), and the constants rows_per_lane,
// n_columns and n_weights.
const uint n_decoded = n_weights * rows_per_lane; // weights of a block that a lane decodes
const uint n_acc = n_decoded * n_columns;

// acc[gr * n_columns + n] += W[row gr] . x[column n] over every step-th block from `first` on.
//   strip_tile: first tile of the row's strip, gate rows before up rows;  strip_row: place in the strip
//   x_at: where a column begins, in vec4 of f32 or blocks of int8;  n_live: columns from there on are skipped (uniform)
// All weights of a block come before its columns, so that an activation is loaded once for all of them and lives shortly:
// uniform ones are scalar registers, of which there are few.
void accumulate(uint64_t strip_tile[n_decoded], uint strip_row[rows_per_lane], uint x_at[n_columns], uint n_live, uint first,
                uint step, uint n_blocks, inout float acc[n_acc]) {
    for (uint block = first; block < n_blocks; block += step) {
#if ACT_Q8
        uint c[n_decoded * 8];
        float d[n_decoded], m[n_decoded];
        [[unroll]] for (uint gr = 0; gr < n_decoded; gr++) {
            uint codes[8];
            weight_decode_int8(push.codes, push.scales, strip_tile[gr] + block, strip_row[gr % rows_per_lane], codes, d[gr], m[gr]);
            [[unroll]] for (uint i = 0; i < 8; i++) c[gr * 8 + i] = codes[i];
        }
        [[unroll]] for (uint n = 0; n < n_columns; n++) {
            if (n >= n_live) break;
            const uint at = x_at[n] + block;
            const uvec4 lo = x[2 * at], hi = x[2 * at + 1];
            const vec2 s = x_scales[at];
            [[unroll]] for (uint gr = 0; gr < n_decoded; gr++) {
                int dot = 0;
                [[unroll]] for (uint i = 0; i < 4; i++) {
                    dot += dotPacked4x8EXT(int(c[gr * 8 + i]), int(lo[i]));
                    dot += dotPacked4x8EXT(int(c[gr * 8 + 4 + i]), int(hi[i]));
                }
                acc[gr * n_columns + n] += d[gr] * s.x * float(dot) + m[gr] * s.y;
            }
        }
#else
        float w[n_decoded * 32];
        [[unroll]] for (uint gr = 0; gr < n_decoded; gr++) {
            float decoded[32];
            weight_decode(push.codes, push.scales, strip_tile[gr] + block, strip_row[gr % rows_per_lane], decoded);
            [[unroll]] for (uint i = 0; i < 32; i++) w[gr * 32 + i] = decoded[i];
        }
        [[unroll]] for (uint n = 0; n < n_columns; n++) {
            if (n >= n_live) break;
            const uint at = x_at[n] + block * 8;
            [[unroll]] for (uint i = 0; i < 8; i++) {
                const vec4 v = x[at + i];
                [[unroll]] for (uint gr = 0; gr < n_decoded; gr++) {
                    float sum = acc[gr * n_columns + n];
                    sum = fma(w[gr * 32 + 4 * i], v.x, sum);
                    sum = fma(w[gr * 32 + 4 * i + 1], v.y, sum);
                    sum = fma(w[gr * 32 + 4 * i + 2], v.z, sum);
                    sum = fma(w[gr * 32 + 4 * i + 3], v.w, sum);
                    acc[gr * n_columns + n] = sum;
                }
            }
        }
#endif
    }
}
