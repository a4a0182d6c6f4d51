// The loop of matvec_loop.glsl in f32.
// acc[gr * n_columns + n] += W[row gr] . x[column n] over every step-th block from `first` on.
//   strip_tile: first tile of the row's strip, gate rows before up rows;  strip_row: place in the strip
//   x_at: where a column begins, in vec4, a live one for all;  n_live: columns from there on are skipped (uniform)
// All weights of a block come before its columns, so that an activation is loaded once for all of them and lives shortly:
// uniform ones are scalar registers, of which there are few.
void accumulate(uint64_t strip_tile[n_decoded], uint strip_row[rows_per_lane], uint x_at[n_columns], uint n_live, uint first,
                uint step, uint n_blocks, inout float acc[n_acc]) {
    for (uint block = first; block < n_blocks; block += step) {
        float w[n_decoded * 32];
        [[unroll]] for (uint gr = 0; gr < n_decoded; gr++) {
            float decoded[32];
            weight_decode(WEIGHT_CODES, WEIGHT_SCALES, strip_tile[gr] + block, strip_row[gr % rows_per_lane], decoded);
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
    }
}
