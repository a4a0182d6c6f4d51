// IQ4_XS: value = d * (scale - 32) * level[code], super-blocks of 256 with a 6-bit scale a block.
// Codes: nibbles as in q4_0.glsl, [strip][super-block][8 blocks][16 rows]. Scales: [strip][super-block][16 rows] of 8 bytes
// as in the file: f16 d, u16 of the scales' high bits, 4 bytes of their low nibbles.
#include "weight_codes.glsl"
#include "iq4.glsl"
#define WEIGHT_CODES_SIGNED 1

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const Tile code_tile = super_tile_at(codes, tile >> 3, 2048u);
    const Tile scale_tile = super_tile_at(scales, tile >> 3, 128u);
    const uint b = own_block(tile, 7u);
    iq4_levels(load_block_granule(code_tile, 0, b, row), c);
    const uvec2 head = load_u32x2(scale_tile, 0, row);
    const uint scale = ((head.y >> (4 * b)) & 15u) | ((head.x >> (16 + 2 * b)) & 3u) << 4;
    d = half_bits_to_float(head.x) * (float(scale) - 32.0);
    m = 0.0;
}

#include "weight_from_int8.glsl"

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: f16 d, u16 and 4 bytes of scales, 128 bytes of nibbles.
#define SOURCE_BYTES 136
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    [[unroll]] for (uint b = 0; b < 8; b++) store_granule(code_tile, b, row, read_nibbles(s, 8 + 16 * b));
    AddrU32x2(scale_tile).v[row] = read_pair(s, 0);
}
#endif
