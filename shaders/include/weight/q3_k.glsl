// Q3_K: value = d * (scale - 32) * (code - 4), super-blocks of 256 with a 6-bit scale for 16 elements.
// Codes: [strip][super-block][6 granules][16 rows]: 4 of low bits, half a granule a block, and 2 of high bits, a word a block.
// Scales: [strip][super-block], each 8 bytes of 16 rows (low nibbles of the two scales of a block), a word of 16 rows (their
// high bits, a nibble a block), f16 d of 16 rows.
#include "weight_codes.glsl"

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    const Tile code_tile = super_tile_at(codes, tile >> 3, 1536u);
    const Tile scale_tile = super_tile_at(scales, tile >> 3, 224u);
    const uint b = own_block(tile, 7u);
    uint c[8], hi[8];
    unpack_2bit(load_block_half(code_tile, 0, b, row), c);
    unpack_1bit(load_block_quarter(code_tile, 16, b, row), hi);
    [[unroll]] for (uint i = 0; i < 8; i++) c[i] |= hi[i] << 2;
    const uint low = load_u8(scale_tile, 0, row * 8 + b);
    const uint high = load_u32(scale_tile, 128, row) >> (4 * b);
    const float d = float(load_f16(scale_tile, 192, row));
    const float scale[2] = float[2](d * (float((low & 15u) | (high & 3u) << 4) - 32.0),
                                    d * (float(low >> 4 | (high & 12u) << 2) - 32.0));
    [[unroll]] for (uint e = 0; e < 32; e++) w[e] = scale[e / 16] * (code_at(c, e) - 4.0);
}

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: 32 bytes of high bits (bit b of byte e: element e of block b), 64 of low bits as in Q2_K, 12 of scales (8 bytes
// of low nibbles: scale k and k + 8; 4 of high bits: scale k in byte k % 4), f16 d.
#define SOURCE_BYTES 110
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    uint c[8];
    [[unroll]] for (uint half_block = 0; half_block < 2; half_block++) {
        read_ordered(s, 32 + 32 * half_block, c);
        [[unroll]] for (uint j = 0; j < 4; j++) store_half(code_tile, 4 * half_block + j, row, pick_2bit(c, j));
    }
    read_ordered(s, 0, c);
    [[unroll]] for (uint b = 0; b < 8; b++) store_quarter(code_tile, 16 + b, row, pick_1bit(c, b));
    uint scales[8];
    read_words(s, 96, 3, scales);
    uvec2 low; // of blocks 0..3 and 4..7
    [[unroll]] for (uint h = 0; h < 2; h++) {
        uint two[2];
        [[unroll]] for (uint i = 0; i < 2; i++) {
            const uint nibbles = (scales[i] >> (4 * h)) & 0x0f0f0f0fu;
            const uint bytes = (nibbles | nibbles >> 4) & 0x00ff00ffu;
            two[i] = (bytes | bytes >> 8) & 0xffffu;
        }
        low[h] = two[0] | two[1] << 16;
    }
    uint high = 0;
    [[unroll]] for (uint k = 0; k < 16; k++) high |= ((scales[2] >> (8 * (k & 3u) + 2 * (k >> 2))) & 3u) << (2 * k);
    AddrU32x2(scale_tile).v[row] = low;
    AddrU32(scale_tile + 128).v[row] = high;
    AddrU16(scale_tile + 192).v[row] = read_u16(s, 108);
}
#endif
