// The loop of matvec_loop.glsl on activations rounded to int8, for types that decode to codes with a scale and an offset a block.
#ifndef COLUMN_AT
uint select_column(uint x_at[n_columns], uint n) {
    uint at = x_at[0];
    [[unroll]] for (uint i = 1; i < n_columns; i++) at = n == i ? x_at[i] : at;
    return at;
}
#define COLUMN_AT(n) select_column(x_at, n)
#endif

// Activations are rounded to int8 by the subgroup that multiplies them, a block and column by each lane: a tenth of the work
// of the blocks' products, and neither a dispatch nor a trip through memory. Nobody else sees a subgroup's codes.
const uint most_codes = lanes >= n_columns ? lanes : n_columns; // blocks of columns that a subgroup rounds together
shared uvec4 act_codes[n_splits * most_codes * 2u];
shared vec2 act_scales[n_splits * most_codes]; // d and d * sum of codes

// 32 floats -> int8 codes; d = max|x| / 127. Codes in packed order: of every 8 elements the first word holds (0, 4, 1, 5),
// the second (2, 6, 3, 7): the order in which (word & 0x0f0f0f0f) and (word >> 4) of repacked 4-bit weights come out.
void round_block(uint from, uint to) {
    vec4 v[8];
    vec4 most = vec4(0.0);
    [[unroll]] for (uint i = 0; i < 8; i++) {
        v[i] = x[from + i];
        most = max(most, abs(v[i]));
    }
    const float d = max(max(most.x, most.y), max(most.z, most.w)) / 127.0;
    const float inverse = d > 0.0 ? 1.0 / d : 0.0;
    uint words[8];
    int sum = 0;
    [[unroll]] for (uint g = 0; g < 4; g++) {
        uint q[8]; // rounded to even in their lowest bytes
        [[unroll]] for (uint e = 0; e < 8; e++) q[e] = floatBitsToUint(fma(v[2 * g + e / 4][e % 4], inverse, 12582912.0));
        words[2 * g] = (q[0] & 255u) | ((q[4] & 255u) << 8) | ((q[1] & 255u) << 16) | (q[5] << 24);
        words[2 * g + 1] = (q[2] & 255u) | ((q[6] & 255u) << 8) | ((q[3] & 255u) << 16) | (q[7] << 24);
        sum += dotPacked4x8EXT(int(words[2 * g]), 0x01010101);
        sum += dotPacked4x8EXT(int(words[2 * g + 1]), 0x01010101);
    }
    act_codes[2 * to] = uvec4(words[0], words[1], words[2], words[3]);
    act_codes[2 * to + 1] = uvec4(words[4], words[5], words[6], words[7]);
    act_scales[to] = vec2(d, d * float(sum));
}

// As accumulate() of matvec_loop_f32.glsl.
void accumulate_int8(uint64_t strip_tile[n_decoded], uint strip_row[rows_per_lane], uint x_at[n_columns], uint n_live, uint first,
                     uint step, uint n_blocks, inout float acc[n_acc]) {
    const uint lane = gl_SubgroupInvocationID;
    const uint mine = first * most_codes; // of the shared codes: `first` is the subgroup's number
    // Columns that are rounded: the live ones and up to the next power of two.
    const uint width = n_live >= n_columns ? n_columns : min(n_columns, n_live <= 1u ? 1u : 2u << findMSB(n_live - 1u));
    const uint shift = findMSB(width), chunk_blocks = max(1u, lanes >> shift);
    // Those of this lane: not chosen in the loop, where x_at would stay in scalar registers.
    const uint n_own = (most_codes + lanes - 1u) / lanes;
    uint own_at[n_own];
    [[unroll]] for (uint i = 0; i < n_own; i++) own_at[i] = COLUMN_AT((i * lanes + lane) & (width - 1u));
    [[dont_unroll]] for (uint chunk = first; chunk < n_blocks; chunk += step * chunk_blocks) {
        subgroupBarrier(); // the codes of the chunk before have been read
        [[unroll]] for (uint i = 0; i < n_own; i++) {
            const uint to = i * lanes + lane, block = chunk + (to >> shift) * step;
            if (to < chunk_blocks << shift && block < n_blocks) round_block(own_at[i] + block * 8, mine + to);
        }
        subgroupMemoryBarrierShared();
        subgroupBarrier();
        const uint n_here = min(chunk_blocks, (n_blocks - chunk + step - 1u) / step);
        [[dont_unroll]] for (uint b = 0; b < n_here; b++) {
            const uint block = chunk + b * step;
            uint c[n_decoded * 8];
            float d[n_decoded], m[n_decoded];
            [[unroll]] for (uint gr = 0; gr < n_decoded; gr++) {
                uint codes[8];
                weight_decode_int8(WEIGHT_CODES, WEIGHT_SCALES, strip_tile[gr] + block, strip_row[gr % rows_per_lane], codes, d[gr], m[gr]);
                [[unroll]] for (uint i = 0; i < 8; i++) c[gr * 8 + i] = codes[i];
            }
            [[unroll]] for (uint n = 0; n < n_columns; n++) {
                if (n >= n_live) break;
                const uint at = mine + (b << shift) + n;
                const uvec4 lo = act_codes[2 * at], hi = act_codes[2 * at + 1];
                const vec2 s = act_scales[at];
                [[unroll]] for (uint gr = 0; gr < n_decoded; gr++) {
                    int dot = 0;
                    [[unroll]] for (uint i = 0; i < 4; i++) {
                        dot += dotPacked4x8EXT(int(c[gr * 8 + i]), int(lo[i]));
                        dot += dotPacked4x8EXT(int(c[gr * 8 + 4 + i]), int(hi[i]));
                    }
                    acc[gr * n_columns + n] += d[gr] * s.x * float(dot) + m[gr] * s.y;
                }
            }
        }
    }
}
