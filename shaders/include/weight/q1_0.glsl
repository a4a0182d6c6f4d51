// Q1_0: value = d or -d, blocks of 128.
// Codes: [strip][block of 128][16 rows], a word of bits for 32 elements. Scales: f16 [strip][block of 128][16 rows].
#include "weight_codes.glsl"
#define WEIGHT_CODES_SIGNED 0

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const Tile code_tile = super_tile_at(codes, tile >> 2, 256u);
    const Tile scale_tile = super_tile_at(scales, tile >> 2, 32u);
    const uint b = own_block(tile, 3u);
    unpack_1bit(load_block_quarter(code_tile, 0, b, row), c);
    m = -float(load_f16(scale_tile, 0, row));
    d = -2.0 * m;
}

#include "weight_from_int8.glsl"

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: f16 d, 16 bytes of bits.
#define SOURCE_BYTES 18
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    const uvec4 w = read_granule(s, 2);
    store_granule(code_tile, 0, row, uvec4(order_1bit(w[0]), order_1bit(w[1]), order_1bit(w[2]), order_1bit(w[3])));
    AddrU16(scale_tile).v[row] = read_u16(s, 0);
}
#endif
