// IQ1_M: value = d * (2 * scale + 1) * (codebook +- 1/8), super-blocks of 256 with a 3-bit scale for 16 elements.
// Codes: [strip][super-block][3 granules][16 rows]: 2 of low index bytes, a word a block, and one with a u16 a block: for each
// 8 elements 3 index bits and the direction of the eighth. Scales: [strip][super-block][16 rows] of four u16 as in the file:
// four scales each, and in their top nibbles the f16 d.
#include "weight_codes.glsl"
#include "iq1.glsl"

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    const Tile code_tile = super_tile_at(codes, tile >> 3, 768u);
    const Tile scale_tile = super_tile_at(scales, tile >> 3, 128u);
    const uint b = own_block(tile, 7u);
    const uint low = load_block_quarter(code_tile, 0, b, row);
    const uint high = load_u16(code_tile, 0, (32 + row) * 8 + b);
    const uvec2 head = load_u32x2(scale_tile, 0, row);
    const float d = half_bits_to_float(((head.x >> 12) & 15u) | (head.x >> 28) << 4 | ((head.y >> 12) & 15u) << 8 | (head.y >> 28) << 12);
    const uint two = (b < 4 ? head.x : head.y) >> (16 * ((b >> 1) & 1u) + 6 * (b & 1u));
    const float scale[2] = float[2](d * float(2 * (two & 7u) + 1), d * float(2 * ((two >> 3) & 7u) + 1));
    uint c[8];
    float offset[4];
    [[unroll]] for (uint g = 0; g < 4; g++) {
        const uint nibble = high >> (4 * g);
        iq1_put(((low >> (8 * g)) & 255u) | (nibble & 7u) << 8, g, c);
        offset[g] = scale[g / 2] * iq1_offset((nibble & 8u) != 0);
    }
    [[unroll]] for (uint e = 0; e < 32; e++) w[e] = scale[e / 16] * code_at(c, e) + offset[e / 8];
}

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: 32 low index bytes, 16 bytes of high bits, 8 of scales.
#define SOURCE_BYTES 56
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    [[unroll]] for (uint g = 0; g < 3; g++) store_granule(code_tile, g, row, read_granule(s, 16 * g));
    AddrU32x2(scale_tile).v[row] = read_pair(s, 48);
}
#endif
