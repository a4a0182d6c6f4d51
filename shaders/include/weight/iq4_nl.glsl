// IQ4_NL: value = d * level[code], 32 elements a block, sixteen levels.
// Codes: nibbles as in q4_0.glsl, [strip][block][16 rows]. Scales: f16 [strip][block][16 rows].
#include "weight_codes.glsl"
#include "iq4.glsl"
#define WEIGHT_CODES_SIGNED 1

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const Tile code_tile = tile_at(codes, tile, 256u);
    const Tile scale_tile = tile_at(scales, tile, 32u);
    iq4_levels(load_granule(code_tile, 0, row), c);
    d = float(load_f16(scale_tile, 0, row));
    m = 0.0;
}

#include "weight_from_int8.glsl"

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: f16 d, 16 bytes of nibbles.
#define SOURCE_BYTES 18
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    store_granule(code_tile, 0, row, read_nibbles(s, 2));
    AddrU16(scale_tile).v[row] = read_u16(s, 0);
}
#endif
