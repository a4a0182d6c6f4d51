// Q5_0: value = d * (code - 16), 32 elements a block.
// Codes: the low nibbles as in q4_0.glsl, [strip][block][16 rows]. Scales: [strip][block], each the fifth bits of 16 rows
// (a word a row), then f16 d of 16 rows.
#include "weight_codes.glsl"
#define WEIGHT_CODES_SIGNED 0

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const uint64_t code_tile = tile_at(codes, tile, 256u);
    const uint64_t scale_tile = tile_at(scales, tile, 96u);
    uint hi[8];
    unpack_4bit(load_granule(code_tile, 0, row), c);
    unpack_1bit(AddrU32(scale_tile).v[row], hi);
    [[unroll]] for (uint i = 0; i < 8; i++) c[i] |= hi[i] << 4;
    d = float(AddrF16(scale_tile + 64).v[row]);
    m = -16.0 * d;
}

#include "weight_from_int8.glsl"

// GGUF block: f16 d, u32 of fifth bits, 16 bytes of nibbles.
void weight_repack(uint64_t source, uint64_t block, uint64_t codes, uint64_t scales, uint64_t tile, uint row, bool is_padding) {
    const Source s = Source(source + block * 22, is_padding);
    const uint64_t code_tile = tile_at(codes, tile, 256u);
    const uint64_t scale_tile = tile_at(scales, tile, 96u);
    uint c[8] = uint[8](0, 0, 0, 0, 0, 0, 0, 0);
    [[unroll]] for (uint e = 0; e < 32; e++) put_code(c, e, read_nibble(s, 6, e));
    const uint bits = read_u32(s, 2);
    uint hi[8] = uint[8](0, 0, 0, 0, 0, 0, 0, 0);
    [[unroll]] for (uint e = 0; e < 32; e++) put_code(hi, e, (bits >> e) & 1u);
    store_granule(code_tile, 0, row, pack_4bit(c));
    AddrU32(scale_tile).v[row] = pack_1bit(hi);
    AddrU16(scale_tile + 64).v[row] = uint16_t(read_u16(s, 0));
}
