// IQ2_XS: value = d * (0.5 + scale) / 4 * codebook * sign, super-blocks of 256 with a 4-bit scale for 16 elements.
// Codes: [strip][super-block][4 granules][16 rows], half a granule a block: four u16 of 9 bits index and 7 bits sign index.
// Scales: [strip][super-block], each 8 bytes of 16 rows (both scales of a block), then f16 d of 16 rows.
#include "weight_codes.glsl"
#include "iq_signs.glsl"

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    const Tile code_tile = super_tile_at(codes, tile >> 3, 1024u);
    const Tile scale_tile = super_tile_at(scales, tile >> 3, 160u);
    const uint b = own_block(tile, 7u);
    const uvec2 q = load_block_half(code_tile, 0, b, row);
    const uint two = load_u8(scale_tile, 0, row * 8 + b);
    const float d = float(load_f16(scale_tile, 128, row)) * 0.25;
    const float scale[2] = float[2](d * (0.5 + float(two & 15u)), d * (0.5 + float(two >> 4)));
    uint c[8];
    [[unroll]] for (uint g = 0; g < 4; g++) {
        const uint word = (q[g / 2] >> (16 * (g % 2))) & 0xffffu;
        put_signed(codebook2(word & 511u), even_signs(word >> 9), g, c);
    }
    [[unroll]] for (uint e = 0; e < 32; e++) w[e] = scale[e / 16] * signed_code_at(c, e);
}

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: f16 d, 64 bytes of codes, 8 bytes of scales.
#define SOURCE_BYTES 74
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    [[unroll]] for (uint g = 0; g < 4; g++) store_granule(code_tile, g, row, read_granule(s, 2 + 16 * g));
    AddrU32x2(scale_tile).v[row] = read_pair(s, 66);
    AddrU16(scale_tile + 128).v[row] = read_u16(s, 0);
}
#endif
