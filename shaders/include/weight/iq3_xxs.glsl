// IQ3_XXS: value = d * (0.5 + scale) / 2 * codebook * sign, super-blocks of 256 with a 4-bit scale a block.
// Codes: [strip][super-block][6 granules][16 rows]: 4 of index bytes, half a granule a block, and 2 with a word a block of four
// 7-bit sign indices and the scale. Scales: f16 [strip][super-block][16 rows].
#include "weight_codes.glsl"
#include "iq_signs.glsl"
#define WEIGHT_CODES_SIGNED 1

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const Tile code_tile = super_tile_at(codes, tile >> 3, 1536u);
    const Tile scale_tile = super_tile_at(scales, tile >> 3, 32u);
    const uint b = own_block(tile, 7u);
    const uvec2 q = load_block_half(code_tile, 0, b, row);
    const uint signs = load_block_quarter(code_tile, 16, b, row);
    d = float(load_f16(scale_tile, 0, row)) * (0.5 + float(signs >> 28)) * 0.5;
    m = 0.0;
    [[unroll]] for (uint g = 0; g < 4; g++) {
        const uint two = q[g / 2] >> (16 * (g % 2));
        put_signed(join_entries(codebook2(two & 255u), codebook2((two >> 8) & 255u)), even_signs(signs >> (7 * g)), g, c);
    }
}

#include "weight_from_int8.glsl"

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: f16 d, 64 index bytes, 32 bytes of signs and scales.
#define SOURCE_BYTES 98
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    [[unroll]] for (uint g = 0; g < 4; g++) store_granule(code_tile, g, row, read_granule(s, 2 + 16 * g));
    [[unroll]] for (uint g = 0; g < 2; g++) store_granule(code_tile, 4 + g, row, read_granule(s, 66 + 16 * g));
    AddrU16(scale_tile).v[row] = read_u16(s, 0);
}
#endif
