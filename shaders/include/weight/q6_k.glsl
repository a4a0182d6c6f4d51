// Q6_K: value = d * scale * (code - 32), super-blocks of 256 with an int8 scale for 16 elements.
// Codes: [strip][super-block][12 granules][16 rows]: 8 of low nibbles as in q4_0.glsl, one a block, and 4 of the two high
// bits, half a granule a block. Scales: [strip][super-block], each 16 scales of 16 rows, then f16 d of 16 rows.
#include "weight_codes.glsl"

// Codes in packed order, and the scales of elements 0..15 and 16..31.
void q6_k_block(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float scale[2]) {
    const uint64_t code_tile = tile_at(codes, tile >> 3, 3072u);
    const uint64_t scale_tile = tile_at(scales, tile >> 3, 288u);
    const uint b = uint(tile) & 7u;
    uint hi[8];
    unpack_4bit(load_granule(code_tile, b, row), c);
    unpack_2bit(load_half(code_tile, 16 + b, row), hi);
    [[unroll]] for (uint i = 0; i < 8; i++) c[i] |= hi[i] << 4;
    const int two = int(AddrU16(scale_tile).v[row * 8 + b]);
    const float d = float(AddrF16(scale_tile + 256).v[row]);
    scale[0] = d * float(bitfieldExtract(two, 0, 8));
    scale[1] = d * float(bitfieldExtract(two, 8, 8));
}

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    uint c[8];
    float scale[2];
    q6_k_block(codes, scales, tile, row, c, scale);
    [[unroll]] for (uint e = 0; e < 32; e++) w[e] = scale[e / 16] * (code_at(c, e) - 32.0);
}

#define WEIGHT_HALVES_OWN
void weight_decode_halves(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out f16vec2 h[16]) {
    uint c[8];
    float scale[2];
    q6_k_block(codes, scales, tile, row, c, scale);
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
