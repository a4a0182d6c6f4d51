// Q2_0: value = d * (code - 1), blocks of 64.
// Codes: [strip][block of 64][16 rows], half a granule for 32 elements. Scales: f16 [strip][block of 64][16 rows].
#include "weight_codes.glsl"
#define WEIGHT_CODES_SIGNED 0

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const Tile code_tile = super_tile_at(codes, tile >> 1, 256u);
    const Tile scale_tile = super_tile_at(scales, tile >> 1, 32u);
    const uint b = own_block(tile, 1u);
    unpack_2bit(load_block_half(code_tile, 0, b, row), c);
    d = float(load_f16(scale_tile, 0, row));
    m = -d;
}

#include "weight_from_int8.glsl"

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: f16 d, 16 bytes of codes.
#define SOURCE_BYTES 18
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    const uvec4 w = read_granule(s, 2);
    store_granule(code_tile, 0, row, uvec4(order_2bit(w[0]), order_2bit(w[1]), order_2bit(w[2]), order_2bit(w[3])));
    AddrU16(scale_tile).v[row] = read_u16(s, 0);
}
#endif
