// IQ4_NL: value = d * level[code], 32 elements a block, sixteen levels.
// Codes: nibbles as in q4_0.glsl, [strip][block][16 rows]. Scales: f16 [strip][block][16 rows].
#include "weight_codes.glsl"
#include "iq4.glsl"
#define WEIGHT_CODES_SIGNED 1

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const uint64_t code_tile = tile_at(codes, tile, 256u);
    const uint64_t scale_tile = tile_at(scales, tile, 32u);
    iq4_levels(load_granule(code_tile, 0, row), c);
    d = float(AddrF16(scale_tile).v[row]);
    m = 0.0;
}

#include "weight_from_int8.glsl"

// GGUF block: f16 d, 16 bytes of nibbles.
void weight_repack(uint64_t source, uint64_t block, uint64_t codes, uint64_t scales, uint64_t tile, uint row, bool is_padding) {
    const Source s = Source(source + block * 18, is_padding);
    const uint64_t code_tile = tile_at(codes, tile, 256u);
    const uint64_t scale_tile = tile_at(scales, tile, 32u);
    uint c[8] = uint[8](0, 0, 0, 0, 0, 0, 0, 0);
    [[unroll]] for (uint e = 0; e < 32; e++) put_code(c, e, read_nibble(s, 2, e));
    store_granule(code_tile, 0, row, pack_4bit(c));
    AddrU16(scale_tile).v[row] = uint16_t(read_u16(s, 0));
}
