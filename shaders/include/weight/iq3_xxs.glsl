// IQ3_XXS: value = d * (0.5 + scale) / 2 * codebook * sign, super-blocks of 256 with a 4-bit scale a block.
// Codes: [strip][super-block][6 granules][16 rows]: 4 of index bytes, half a granule a block, and 2 with a word a block of four
// 7-bit sign indices and the scale. Scales: f16 [strip][super-block][16 rows].
#include "weight_codes.glsl"
#include "codebook.glsl"
#include "iq_signs.glsl"

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    const uint64_t code_tile = tile_at(codes, tile >> 3, 1536u);
    const uint64_t scale_tile = tile_at(scales, tile >> 3, 32u);
    const uint b = uint(tile) & 7u;
    const uvec2 q = load_half(code_tile, b, row);
    const uint signs = load_quarter(code_tile, 16 + b, row);
    const float d = float(AddrF16(scale_tile).v[row]) * (0.5 + float(signs >> 28)) * 0.5;
    [[unroll]] for (uint g = 0; g < 8; g++) {
        const uint entry = codebook((q[g / 4] >> (8 * (g % 4))) & 255u);
        const uint byte = even_signs(signs >> (7 * (g / 2)));
        [[unroll]] for (uint j = 0; j < 4; j++) {
            const uint code = (entry >> (4 * j)) & 7u; // 4, 12, 20 ... 52, and 62 instead of 60
            w[4 * g + j] = with_sign(d * float(8 * code + 4 + 2 * ((code + 1) >> 3)), byte, 4 * (g % 2) + j);
        }
    }
}

// GGUF block: f16 d, 64 index bytes, 32 bytes of signs and scales.
void weight_repack(uint64_t source, uint64_t block, uint64_t codes, uint64_t scales, uint64_t tile, uint row, bool is_padding) {
    const Source s = Source(source + (block >> 3) * 98, is_padding);
    const uint b = uint(block) & 7u;
    const uint64_t code_tile = tile_at(codes, tile >> 3, 1536u);
    const uint64_t scale_tile = tile_at(scales, tile >> 3, 32u);
    store_half(code_tile, b, row, uvec2(read_u32(s, 2 + 8 * b), read_u32(s, 6 + 8 * b)));
    store_quarter(code_tile, 16 + b, row, read_u32(s, 66 + 4 * b));
    if (b == 0) AddrU16(scale_tile).v[row] = uint16_t(read_u16(s, 0));
}
