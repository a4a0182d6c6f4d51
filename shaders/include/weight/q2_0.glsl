// Q2_0: value = d * (code - 1), blocks of 64.
// Codes: [strip][block of 64][16 rows], half a granule for 32 elements. Scales: f16 [strip][block of 64][16 rows].
#include "weight_codes.glsl"
#define WEIGHT_CODES_SIGNED 0

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const uint64_t code_tile = tile_at(codes, tile >> 1, 256u);
    const uint64_t scale_tile = tile_at(scales, tile >> 1, 32u);
    const uint b = uint(tile) & 1u;
    unpack_2bit(load_half(code_tile, b, row), c);
    d = float(AddrF16(scale_tile).v[row]);
    m = -d;
}

#include "weight_from_int8.glsl"

// GGUF block: f16 d, 16 bytes of codes.
void weight_repack(uint64_t source, uint64_t block, uint64_t codes, uint64_t scales, uint64_t tile, uint row, bool is_padding) {
    const Source s = Source(source + (block >> 1) * 18, is_padding);
    const uint b = uint(block) & 1u;
    const uint64_t code_tile = tile_at(codes, tile >> 1, 256u);
    const uint64_t scale_tile = tile_at(scales, tile >> 1, 32u);
    uint c[8] = uint[8](0, 0, 0, 0, 0, 0, 0, 0);
    [[unroll]] for (uint e = 0; e < 32; e++) put_code(c, e, (read_u8(s, 2 + 8 * b + e / 4) >> (2 * (e % 4))) & 3u);
    store_half(code_tile, b, row, pack_2bit(c));
    if (b == 0) AddrU16(scale_tile).v[row] = uint16_t(read_u16(s, 0));
}
