// Q4_1: value = d * code + m, 32 elements a block.
// Codes: nibbles as in q4_0.glsl, [strip][block][16 rows]. Scales: f16 d and m, [strip][block][16 rows].
#include "weight_codes.glsl"
#define WEIGHT_CODES_SIGNED 0

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const Tile code_tile = tile_at(codes, tile, 256u);
    const Tile scale_tile = tile_at(scales, tile, 64u);
    unpack_4bit(load_granule(code_tile, 0, row), c);
    const vec2 scale = unpackHalf2x16(load_u32(scale_tile, 0, row));
    d = scale.x;
    m = scale.y;
}

#include "weight_from_int8.glsl"

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: f16 d, f16 m, 16 bytes of nibbles.
#define SOURCE_BYTES 20
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    store_granule(code_tile, 0, row, read_nibbles(s, 4));
    AddrU32(scale_tile).v[row] = read_u32(s, 0);
}
#endif
