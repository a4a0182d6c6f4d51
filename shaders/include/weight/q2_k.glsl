// Q2_K: value = d * scale * code - dmin * minimum, super-blocks of 256 with 4-bit scale and minimum for 16 elements.
// Codes: [strip][super-block][4 granules][16 rows], half a granule a block. Scales: [strip][super-block], each 16 bytes (scale
// low, minimum high) of 16 rows, then f16 d and dmin of 16 rows.
#include "weight_codes.glsl"

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    const Tile code_tile = super_tile_at(codes, tile >> 3, 1024u);
    const Tile scale_tile = super_tile_at(scales, tile >> 3, 320u);
    const uint b = own_block(tile, 7u);
    uint c[8];
    unpack_2bit(load_block_half(code_tile, 0, b, row), c);
    const uint two = load_u16(scale_tile, 0, row * 8 + b);
    const vec2 d = unpackHalf2x16(load_u32(scale_tile, 256, row));
    const float scale[2] = float[2](d.x * float(two & 15u), d.x * float((two >> 8) & 15u));
    const float minimum[2] = float[2](d.y * float((two >> 4) & 15u), d.y * float(two >> 12));
    [[unroll]] for (uint e = 0; e < 32; e++) w[e] = scale[e / 16] * code_at(c, e) - minimum[e / 16];
}

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: 16 bytes of scales, 64 of codes (two bits of a byte for each block of its half), f16 d, f16 dmin.
#define SOURCE_BYTES 84
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    uint c[8];
    [[unroll]] for (uint half_block = 0; half_block < 2; half_block++) {
        read_ordered(s, 16 + 32 * half_block, c);
        [[unroll]] for (uint j = 0; j < 4; j++) store_half(code_tile, 4 * half_block + j, row, pick_2bit(c, j));
    }
    store_granule(scale_tile, 0, row, read_granule(s, 0));
    AddrU32(scale_tile + 256).v[row] = read_u32(s, 80);
}
#endif
