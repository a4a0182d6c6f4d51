// Q5_0: value = d * (code - 16), 32 elements a block.
// Codes: the low nibbles as in q4_0.glsl, [strip][block][16 rows]. Scales: [strip][block], each the fifth bits of 16 rows
// (a word a row), then f16 d of 16 rows.
#include "weight_codes.glsl"
#define WEIGHT_CODES_SIGNED 0

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const Tile code_tile = tile_at(codes, tile, 256u);
    const Tile scale_tile = tile_at(scales, tile, 96u);
    unpack_4bit(load_granule(code_tile, 0, row), c);
    const uint hi = load_u32(scale_tile, 0, row);
    [[unroll]] for (uint i = 0; i < 8; i++) c[i] |= one_above(hi, i);
    d = float(load_f16(scale_tile, 64, row));
    m = -16.0 * d;
}

#include "weight_from_int8.glsl"

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: f16 d, u32 of fifth bits, 16 bytes of nibbles.
#define SOURCE_BYTES 22
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    store_granule(code_tile, 0, row, read_nibbles(s, 6));
    AddrU32(scale_tile).v[row] = order_1bit(read_u32(s, 2));
    AddrU16(scale_tile + 64).v[row] = read_u16(s, 0);
}
#endif
