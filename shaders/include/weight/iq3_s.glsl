// IQ3_S: value = d * (1 + 2 * scale) * codebook * sign, super-blocks of 256 with a 4-bit scale a block.
// Codes: [strip][super-block][6 granules][16 rows]: 4 of low index bytes, half a granule a block, and 2 with a word of signs a
// block. Scales: [strip][super-block], each 8 bytes of 16 rows (ninth index bits of a block), 4 bytes of 16 rows (scales),
// f16 d of 16 rows.
#include "weight_codes.glsl"
#include "iq_signs.glsl"
#define WEIGHT_CODES_SIGNED 1

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const Tile code_tile = super_tile_at(codes, tile >> 3, 1536u);
    const Tile scale_tile = super_tile_at(scales, tile >> 3, 224u);
    const uint b = own_block(tile, 7u);
    const uvec2 q = load_block_half(code_tile, 0, b, row);
    const uint signs = load_block_quarter(code_tile, 16, b, row);
    const uint high = load_u8(scale_tile, 0, row * 8 + b);
    const uint scale = (load_u32(scale_tile, 128, row) >> (4 * b)) & 15u;
    d = float(load_f16(scale_tile, 192, row)) * float(1 + 2 * scale);
    m = 0.0;
    [[unroll]] for (uint g = 0; g < 4; g++) {
        const uint two = q[g / 2] >> (16 * (g % 2)), bits = high >> (2 * g);
        put_signed(join_entries(codebook2((two & 255u) | (bits & 1u) << 8), codebook2(((two >> 8) & 255u) | (bits & 2u) << 7)),
                   signs >> (8 * g), g, c);
    }
}

#include "weight_from_int8.glsl"

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: f16 d, 64 low index bytes, 8 bytes of ninth bits, 32 of signs, 4 of scales.
#define SOURCE_BYTES 110
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    [[unroll]] for (uint g = 0; g < 4; g++) store_granule(code_tile, g, row, read_granule(s, 2 + 16 * g));
    [[unroll]] for (uint g = 0; g < 2; g++) store_granule(code_tile, 4 + g, row, read_granule(s, 74 + 16 * g));
    AddrU32x2(scale_tile).v[row] = read_pair(s, 66);
    AddrU32(scale_tile + 128).v[row] = read_u32(s, 106);
    AddrU16(scale_tile + 192).v[row] = read_u16(s, 0);
}
#endif
