// IQ2_S: value = d * (0.5 + scale) / 4 * codebook * sign, super-blocks of 256 with a 4-bit scale for 16 elements.
// Codes: [strip][super-block][4 granules][16 rows], half a granule a block: four low index bytes, four sign bytes.
// Scales: [strip][super-block], each 8 bytes of 16 rows (high index bits of a block), 8 bytes of 16 rows (both scales of a
// block), f16 d of 16 rows.
#include "weight_codes.glsl"
#include "iq_signs.glsl"

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    const Tile code_tile = super_tile_at(codes, tile >> 3, 1024u);
    const Tile scale_tile = super_tile_at(scales, tile >> 3, 288u);
    const uint b = own_block(tile, 7u);
    const uvec2 q = load_block_half(code_tile, 0, b, row);
    const uint high = load_u8(scale_tile, 0, row * 8 + b);
    const uint two = load_u8(scale_tile, 128, row * 8 + b);
    const float d = float(load_f16(scale_tile, 256, row)) * 0.25;
    const float scale[2] = float[2](d * (0.5 + float(two & 15u)), d * (0.5 + float(two >> 4)));
    uint c[8];
    [[unroll]] for (uint g = 0; g < 4; g++) {
        const uint index = ((q.x >> (8 * g)) & 255u) | ((high >> (2 * g)) & 3u) << 8;
        put_signed(codebook2(index), q.y >> (8 * g), g, c);
    }
    [[unroll]] for (uint e = 0; e < 32; e++) w[e] = scale[e / 16] * signed_code_at(c, e);
}

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: f16 d, 32 low index bytes, 32 sign bytes, 8 bytes of high bits, 8 of scales.
#define SOURCE_BYTES 82
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    [[unroll]] for (uint g = 0; g < 4; g++) {
        const uvec2 low = read_pair(s, 2 + 8 * g), signs = read_pair(s, 34 + 8 * g);
        store_granule(code_tile, g, row, uvec4(low[0], signs[0], low[1], signs[1]));
    }
    AddrU32x2(scale_tile).v[row] = read_pair(s, 66);
    AddrU32x2(scale_tile + 128).v[row] = read_pair(s, 74);
    AddrU16(scale_tile + 256).v[row] = read_u16(s, 0);
}
#endif
