// Q5_K: value = d * scale * code - dmin * minimum, super-blocks of 256 with 6-bit scale and minimum a block.
// Codes: [strip][super-block][10 granules][16 rows]: 8 of nibbles as in q4_0.glsl, one a block, and 2 of fifth bits, a word a
// block. Scales: the 16-byte header of the file, [strip][super-block][16 rows] (k_scales.glsl).
#include "weight_codes.glsl"
#include "k_scales.glsl"
#define WEIGHT_CODES_SIGNED 0

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const uint64_t code_tile = tile_at(codes, tile >> 3, 2560u);
    const uint64_t scale_tile = tile_at(scales, tile >> 3, 256u);
    const uint b = uint(tile) & 7u;
    uint hi[8];
    unpack_4bit(load_granule(code_tile, b, row), c);
    unpack_1bit(load_quarter(code_tile, 32 + b, row), hi);
    [[unroll]] for (uint i = 0; i < 8; i++) c[i] |= hi[i] << 4;
    k_scale_min(load_granule(scale_tile, 0, row), b, d, m);
}

#include "weight_from_int8.glsl"

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
