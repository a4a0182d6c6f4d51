// Q6_K: value = d * scale * (code - 32), super-blocks of 256 with an int8 scale for 16 elements.
// Codes: [strip][super-block][12 granules][16 rows]: 8 of low nibbles as in q4_0.glsl, one a block, and 4 of the two high
// bits, half a granule a block. Scales: [strip][super-block], each 16 scales of 16 rows, then f16 d of 16 rows.
#include "weight_codes.glsl"

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    const uint64_t code_tile = tile_at(codes, tile >> 3, 3072u);
    const uint64_t scale_tile = tile_at(scales, tile >> 3, 288u);
    const uint b = uint(tile) & 7u;
    uint c[8], hi[8];
    unpack_4bit(load_granule(code_tile, b, row), c);
    unpack_2bit(load_half(code_tile, 16 + b, row), hi);
    [[unroll]] for (uint i = 0; i < 8; i++) c[i] |= hi[i] << 4;
    const int two = int(AddrU16(scale_tile).v[row * 8 + b]);
    const float d = float(AddrF16(scale_tile + 256).v[row]);
    const float scale[2] = float[2](d * float(bitfieldExtract(two, 0, 8)), d * float(bitfieldExtract(two, 8, 8)));
    [[unroll]] for (uint e = 0; e < 32; e++) w[e] = scale[e / 16] * (code_at(c, e) - 32.0);
}

#define WEIGHT_HALVES_OWN
void weight_decode_halves(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out f16vec2 h[16]) {
    const uint64_t code_tile = tile_at(codes, tile >> 3, 3072u);
    const uint64_t scale_tile = tile_at(scales, tile >> 3, 288u);
    const uint b = uint(tile) & 7u;
    uint c[8], hi[8];
    unpack_4bit(load_granule(code_tile, b, row), c);
    unpack_2bit(load_half(code_tile, 16 + b, row), hi);
    const int two = int(AddrU16(scale_tile).v[row * 8 + b]);
    const float d = float(AddrF16(scale_tile + 256).v[row]);
    const f16vec2 scale[2] = f16vec2[2](f16vec2(d * float(bitfieldExtract(two, 0, 8))), f16vec2(d * float(bitfieldExtract(two, 8, 8))));
    [[unroll]] for (uint i = 0; i < 16; i++) {
        const uint at = i / 4 * 2 + i % 2;
        const uint pair = ((c[at] | hi[at] << 4) >> (8 * (i % 4 / 2))) & 0x00ff00ffu;
        h[i] = (unpackFloat2x16(pair | 0x64006400u) - f16vec2(1056.0hf)) * scale[i / 8];
    }
}

// GGUF block: 128 bytes of low nibbles, 64 of high bits, 16 scales, f16 d; each half is 128 elements.
void weight_repack(uint64_t source, uint64_t block, uint64_t codes, uint64_t scales, uint64_t tile, uint row, bool is_padding) {
    const Source s = Source(source + (block >> 3) * 210, is_padding);
    const uint b = uint(block) & 7u;
    const uint64_t code_tile = tile_at(codes, tile >> 3, 3072u);
    const uint64_t scale_tile = tile_at(scales, tile >> 3, 288u);
    const uint part = b >> 2, j = b & 3u;
    uint c[8] = uint[8](0, 0, 0, 0, 0, 0, 0, 0);
    [[unroll]] for (uint e = 0; e < 32; e++) put_code(c, e, (read_u8(s, 64 * part + 32 * (j & 1u) + e) >> (4 * (j >> 1))) & 15u);
    uint hi[8] = uint[8](0, 0, 0, 0, 0, 0, 0, 0);
    [[unroll]] for (uint e = 0; e < 32; e++) put_code(hi, e, (read_u8(s, 128 + 32 * part + e) >> (2 * j)) & 3u);
    store_granule(code_tile, b, row, pack_4bit(c));
    store_half(code_tile, 16 + b, row, pack_2bit(hi));
    AddrU16(scale_tile).v[row * 8 + b] = uint16_t(read_u16(s, 192 + 2 * b));
    if (b == 0) AddrU16(scale_tile + 256).v[row] = uint16_t(read_u16(s, 208));
}
