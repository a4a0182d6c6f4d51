// Q4_K: value = d * scale * code - dmin * minimum, super-blocks of 256 with 6-bit scale and minimum a block.
// Codes: nibbles as in q4_0.glsl, [strip][super-block][8 blocks][16 rows]. Scales: the 16-byte header of the file,
// [strip][super-block][16 rows] (k_scales.glsl).
#include "weight_codes.glsl"
#include "k_scales.glsl"
#define WEIGHT_CODES_SIGNED 0

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const uint64_t code_tile = tile_at(codes, tile >> 3, 2048u);
    const uint64_t scale_tile = tile_at(scales, tile >> 3, 256u);
    const uint b = uint(tile) & 7u;
    unpack_4bit(load_granule(code_tile, b, row), c);
    k_scale_min(load_granule(scale_tile, 0, row), b, d, m);
}

#include "weight_from_int8.glsl"

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: header of 16 bytes, then 32 bytes for each two blocks: low nibbles the even one, high nibbles the odd one.
#define SOURCE_BYTES 144
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    store_paired_nibbles(s, 16, code_tile, row);
    store_granule(scale_tile, 0, row, read_granule(s, 0));
}
#endif
