// Q3_K: value = d * (scale - 32) * (code - 4), super-blocks of 256 with a 6-bit scale for 16 elements.
// Codes: [strip][super-block][6 granules][16 rows]: 4 of low bits, half a granule a block, and 2 of high bits, a word a block.
// Scales: [strip][super-block], each 8 bytes of 16 rows (low nibbles of the two scales of a block), a word of 16 rows (their
// high bits, a nibble a block), f16 d of 16 rows.
#include "weight_codes.glsl"

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    const uint64_t code_tile = tile_at(codes, tile >> 3, 1536u);
    const uint64_t scale_tile = tile_at(scales, tile >> 3, 224u);
    const uint b = uint(tile) & 7u;
    uint c[8], hi[8];
    unpack_2bit(load_half(code_tile, b, row), c);
    unpack_1bit(load_quarter(code_tile, 16 + b, row), hi);
    [[unroll]] for (uint i = 0; i < 8; i++) c[i] |= hi[i] << 2;
    const uint low = uint(AddrU8(scale_tile).v[row * 8 + b]);
    const uint high = AddrU32(scale_tile + 128).v[row] >> (4 * b);
    const float d = float(AddrF16(scale_tile + 192).v[row]);
    const float scale[2] = float[2](d * (float((low & 15u) | (high & 3u) << 4) - 32.0),
                                    d * (float(low >> 4 | (high & 12u) << 2) - 32.0));
    [[unroll]] for (uint e = 0; e < 32; e++) w[e] = scale[e / 16] * (code_at(c, e) - 4.0);
}

// GGUF block: 32 bytes of high bits (bit b of byte e: element e of block b), 64 of low bits as in Q2_K, 12 of scales (8 bytes
// of low nibbles: scale k and k + 8; 4 of high bits: scale k in byte k % 4), f16 d.
void weight_repack(uint64_t source, uint64_t block, uint64_t codes, uint64_t scales, uint64_t tile, uint row, bool is_padding) {
    const Source s = Source(source + (block >> 3) * 110, is_padding);
    const uint b = uint(block) & 7u;
    const uint64_t code_tile = tile_at(codes, tile >> 3, 1536u);
    const uint64_t scale_tile = tile_at(scales, tile >> 3, 224u);
    uint c[8] = uint[8](0, 0, 0, 0, 0, 0, 0, 0);
    [[unroll]] for (uint e = 0; e < 32; e++) put_code(c, e, (read_u8(s, 32 + 32 * (b >> 2) + e) >> (2 * (b & 3u))) & 3u);
    uint hi[8] = uint[8](0, 0, 0, 0, 0, 0, 0, 0);
    [[unroll]] for (uint e = 0; e < 32; e++) put_code(hi, e, (read_u8(s, e) >> b) & 1u);
    store_half(code_tile, b, row, pack_2bit(c));
    store_quarter(code_tile, 16 + b, row, pack_1bit(hi));
    uint low = 0;
    [[unroll]] for (uint h = 0; h < 2; h++) {
        const uint k = 2 * b + h;
        low |= ((read_u8(s, 96 + (k & 7u)) >> (4 * (k >> 3))) & 15u) << (4 * h);
    }
    AddrU8(scale_tile).v[row * 8 + b] = uint8_t(low);
    if (b == 0) {
        uint high = 0;
        for (uint k = 0; k < 16; k++) high |= ((read_u8(s, 104 + (k & 3u)) >> (2 * (k >> 2))) & 3u) << (2 * k);
        AddrU32(scale_tile + 128).v[row] = high;
        AddrU16(scale_tile + 192).v[row] = uint16_t(read_u16(s, 108));
    }
}
