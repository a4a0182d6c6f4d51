// Q6_K: value = d * scale * (code - 32), super-blocks of 256 with an int8 scale for 16 elements.
// Codes: [strip][super-block][12 granules][16 rows]: 8 of low nibbles as in q4_0.glsl, one a block, and 4 of the two high
// bits, half a granule a block. Scales: [strip][super-block], each 16 scales of 16 rows, then f16 d of 16 rows.
#include "weight_codes.glsl"

// Codes in packed order, and the scale bytes of elements 0..15 and 16..31, times d.
void q6_k_block(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out uint two, out float16_t d) {
    const Tile code_tile = super_tile_at(codes, tile >> 3, 3072u);
    const Tile scale_tile = super_tile_at(scales, tile >> 3, 288u);
    const uint b = own_block(tile, 7u);
    unpack_4bit(load_block_granule(code_tile, 0, b, row), c);
    const uvec2 hi = load_block_half(code_tile, 16, b, row);
    [[unroll]] for (uint i = 0; i < 8; i++) c[i] |= two_above(hi, i);
    two = load_u16(scale_tile, 0, row * 8 + b);
    d = load_f16(scale_tile, 256, row);
}

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    uint c[8], two;
    float16_t d;
    q6_k_block(codes, scales, tile, row, c, two, d);
    float scale[2];
    [[unroll]] for (int i = 0; i < 2; i++) scale[i] = float(d) * float(bitfieldExtract(int(two), 8 * i, 8));
    [[unroll]] for (uint e = 0; e < 32; e++) w[e] = scale[e / 16] * (code_at(c, e) - 32.0);
}

#define WEIGHT_HALVES_OWN
void weight_decode_halves(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out f16vec2 h[16]) {
    uint c[8], two;
    float16_t d;
    q6_k_block(codes, scales, tile, row, c, two, d);
    // Bytes of which 128 is taken off like that of codes; a product of halves is rounded as that of floats would be.
    const uint scale_bits = ((two & 0xffu) | (two & 0xff00u) << 8) ^ 0x64806480u;
    const f16vec2 scale = (unpackFloat2x16(scale_bits) - f16vec2(1152.0hf)) * d;
    [[unroll]] for (uint i = 0; i < 16; i++) {
        const uint pair = (c[i / 4 * 2 + i % 2] >> (8 * (i % 4 / 2))) & 0x00ff00ffu;
        h[i] = (unpackFloat2x16(pair | 0x64006400u) - f16vec2(1056.0hf)) * f16vec2(scale[i / 8]);
    }
}

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: 128 bytes of low nibbles, 64 of high bits, 16 scales, f16 d; each half is 128 elements.
#define SOURCE_BYTES 210
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    uint c[8];
    [[unroll]] for (uint part = 0; part < 2; part++) {
        [[unroll]] for (uint j = 0; j < 2; j++) {
            read_ordered(s, 64 * part + 32 * j, c);
            store_granule(code_tile, 4 * part + j, row, pick_4bit(c, 0));
            store_granule(code_tile, 4 * part + j + 2, row, pick_4bit(c, 1));
        }
        read_ordered(s, 128 + 32 * part, c);
        [[unroll]] for (uint j = 0; j < 4; j++) store_half(code_tile, 16 + 4 * part + j, row, pick_2bit(c, j));
    }
    store_granule(scale_tile, 0, row, read_granule(s, 192));
    AddrU16(scale_tile + 256).v[row] = read_u16(s, 208);
}
#endif
