// Q1_0: value = d or -d, blocks of 128.
// Codes: [strip][block of 128][16 rows], a word of bits for 32 elements. Scales: f16 [strip][block of 128][16 rows].
#include "weight_codes.glsl"
#define WEIGHT_CODES_SIGNED 0

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const uint64_t code_tile = tile_at(codes, tile >> 2, 256u);
    const uint64_t scale_tile = tile_at(scales, tile >> 2, 32u);
    const uint b = uint(tile) & 3u;
    unpack_1bit(load_quarter(code_tile, b, row), c);
    m = -float(AddrF16(scale_tile).v[row]);
    d = -2.0 * m;
}

#include "weight_from_int8.glsl"

// GGUF block: f16 d, 16 bytes of bits.
void weight_repack(uint64_t source, uint64_t block, uint64_t codes, uint64_t scales, uint64_t tile, uint row, bool is_padding) {
    const Source s = Source(source + (block >> 2) * 18, is_padding);
    const uint b = uint(block) & 3u;
    const uint64_t code_tile = tile_at(codes, tile >> 2, 256u);
    const uint64_t scale_tile = tile_at(scales, tile >> 2, 32u);
    uint c[8] = uint[8](0, 0, 0, 0, 0, 0, 0, 0);
    [[unroll]] for (uint e = 0; e < 32; e++) put_code(c, e, (read_u8(s, 2 + 4 * b + e / 8) >> (e % 8)) & 1u);
    store_quarter(code_tile, b, row, pack_1bit(c));
    if (b == 0) AddrU16(scale_tile).v[row] = uint16_t(read_u16(s, 0));
}
