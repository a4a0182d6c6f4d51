// IQ1_S: value = d * (2 * scale + 1) * (codebook +- 1/8), super-blocks of 256 with a 3-bit scale a block.
// Codes: [strip][super-block][3 granules][16 rows]: 2 of low index bytes, a word a block, and one with a u16 a block: 3 index
// bits for each 8 elements, the scale, the direction of the eighth. Scales: f16 [strip][super-block][16 rows].
#include "weight_codes.glsl"
#include "iq1.glsl"
#define WEIGHT_CODES_SIGNED 0

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const Tile code_tile = super_tile_at(codes, tile >> 3, 768u);
    const Tile scale_tile = super_tile_at(scales, tile >> 3, 32u);
    const uint b = own_block(tile, 7u);
    const uint low = load_block_quarter(code_tile, 0, b, row);
    const uint high = load_u16(code_tile, 0, (32 + row) * 8 + b);
    d = float(load_f16(scale_tile, 0, row)) * float(2 * ((high >> 12) & 7u) + 1);
    m = d * iq1_offset((high & 0x8000u) != 0);
    [[unroll]] for (uint g = 0; g < 4; g++) iq1_put(((low >> (8 * g)) & 255u) | ((high >> (3 * g)) & 7u) << 8, g, c);
}

#include "weight_from_int8.glsl"

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: f16 d, 32 low index bytes, 8 u16 as above.
#define SOURCE_BYTES 50
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    [[unroll]] for (uint g = 0; g < 3; g++) store_granule(code_tile, g, row, read_granule(s, 2 + 16 * g));
    AddrU16(scale_tile).v[row] = read_u16(s, 0);
}
#endif
