// Q5_K: value = d * scale * code - dmin * minimum, super-blocks of 256 with 6-bit scale and minimum a block.
// Codes: [strip][super-block][10 granules][16 rows]: 8 of nibbles as in q4_0.glsl, one a block, and 2 of fifth bits, a word a
// block. Scales: the 16-byte header of the file, [strip][super-block][16 rows] (k_scales.glsl).
#include "weight_codes.glsl"
#include "k_scales.glsl"
#define WEIGHT_CODES_SIGNED 0

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const Tile code_tile = super_tile_at(codes, tile >> 3, 2560u);
    const Tile scale_tile = super_tile_at(scales, tile >> 3, 256u);
    const uint b = own_block(tile, 7u);
    unpack_4bit(load_block_granule(code_tile, 0, b, row), c);
    const uint hi = load_block_quarter(code_tile, 32, b, row);
    [[unroll]] for (uint i = 0; i < 8; i++) c[i] |= one_above(hi, i);
    k_scale_min(load_granule(scale_tile, 0, row), b, d, m);
}

#include "weight_from_int8.glsl"

#define WEIGHT_HALVES_OWN
void weight_decode_halves(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out f16vec2 h[16]) {
    const Tile code_tile = super_tile_at(codes, tile >> 3, 2560u);
    const uint b = own_block(tile, 7u);
    uint c[8];
    unpack_4bit(load_block_granule(code_tile, 0, b, row), c);
    const uint hi = load_block_quarter(code_tile, 32, b, row);
    const f16vec2 d = k_scale_min_halves(load_granule(super_tile_at(scales, tile >> 3, 256u), 0, row), b);
    [[unroll]] for (uint i = 0; i < 16; i++) {
        const uint word = i / 4 * 2 + i % 2;
        const uint pair = ((c[word] | one_above(hi, word)) >> (8 * (i % 4 / 2))) & 0x00ff00ffu;
        h[i] = fma(unpackFloat2x16(pair | 0x64006400u) - f16vec2(1024.0hf), d.xx, -d.yy);
    }
}

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: header of 16 bytes, 32 bytes of fifth bits (bit b of byte e: element e of block b), nibbles as in Q4_K.
#define SOURCE_BYTES 176
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    store_paired_nibbles(s, 48, code_tile, row);
    uint c[8];
    read_ordered(s, 16, c);
    [[unroll]] for (uint b = 0; b < 8; b++) store_quarter(code_tile, 32 + b, row, pick_1bit(c, b));
    store_granule(scale_tile, 0, row, read_granule(s, 0));
}
#endif
