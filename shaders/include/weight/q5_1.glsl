// Q5_1: value = d * code + m, 32 elements a block.
// Codes: the low nibbles as in q4_0.glsl, [strip][block][16 rows]. Scales: [strip][block][16 rows] of a word of fifth bits
// and a word of f16 d and m.
#include "weight_codes.glsl"
#define WEIGHT_CODES_SIGNED 0

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const Tile code_tile = tile_at(codes, tile, 256u);
    const Tile scale_tile = tile_at(scales, tile, 128u);
    const uvec2 side = load_u32x2(scale_tile, 0, row);
    unpack_4bit(load_granule(code_tile, 0, row), c);
    const uint hi = side.x;
    [[unroll]] for (uint i = 0; i < 8; i++) c[i] |= one_above(hi, i);
    const vec2 scale = unpackHalf2x16(side.y);
    d = scale.x;
    m = scale.y;
}

#include "weight_from_int8.glsl"

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: f16 d, f16 m, u32 of fifth bits, 16 bytes of nibbles.
#define SOURCE_BYTES 24
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    store_granule(code_tile, 0, row, read_nibbles(s, 8));
    AddrU32x2(scale_tile).v[row] = uvec2(order_1bit(read_u32(s, 4)), read_u32(s, 0));
}
#endif
