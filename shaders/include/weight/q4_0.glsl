// Q4_0: value = d * (code - 8), 32 elements a block.
// Codes: 16 bytes a row and block, [strip][block][16 rows]; element 8i + 2j is nibble j of word i, 8i + 2j + 1 nibble
// j + 4, so that one mask gives a pair of halves, and (word & 0x0f0f0f0f) the first word of the packed int8 order.
// Scales: f16 [strip][block][16 rows].
#include "weight_codes.glsl"

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    const uvec4 q = load_granule(tile_at(codes, tile, 256u), 0, row);
    const float d = float(load_f16(tile_at(scales, tile, 32u), 0, row));
    [[unroll]] for (uint i = 0; i < 4; i++) {
        [[unroll]] for (uint j = 0; j < 4; j++) {
            w[8 * i + 2 * j] = d * (float((q[i] >> (4 * j)) & 15u) - 8.0);
            w[8 * i + 2 * j + 1] = d * (float((q[i] >> (4 * j + 16)) & 15u) - 8.0);
        }
    }
}

// value = d * c + m for the int8 codes c in packed order (matvec_loop.glsl).
void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const uvec4 q = load_granule(tile_at(codes, tile, 256u), 0, row);
    d = float(load_f16(tile_at(scales, tile, 32u), 0, row));
    m = -8.0 * d;
    [[unroll]] for (uint i = 0; i < 4; i++) {
        c[2 * i] = q[i] & 0x0f0f0f0fu;
        c[2 * i + 1] = (q[i] >> 4) & 0x0f0f0f0fu;
    }
}

#define WEIGHT_HALVES_OWN
// Pairs of halves (weight_halves.glsl): nibbles j and j + 4 of a word are neighbours.
void weight_decode_halves(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out f16vec2 h[16]) {
    const uvec4 q = load_granule(tile_at(codes, tile, 256u), 0, row);
    const f16vec2 d = f16vec2(load_f16(tile_at(scales, tile, 32u), 0, row));
    [[unroll]] for (uint i = 0; i < 4; i++) {
        [[unroll]] for (uint j = 0; j < 4; j++)
            h[4 * i + j] = (unpackFloat2x16(((q[i] >> (4 * j)) & 0x000f000fu) | 0x64006400u) - f16vec2(1032.0hf)) * d;
    }
}

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: f16 d, then 16 bytes whose low nibbles are elements 0..15 and high nibbles 16..31.
#define SOURCE_BYTES 18
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    store_granule(code_tile, 0, row, read_nibbles(s, 2));
    AddrU16(scale_tile).v[row] = read_u16(s, 0);
}
#endif
