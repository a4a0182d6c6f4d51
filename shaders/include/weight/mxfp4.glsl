// MXFP4: value = E2M1 * 2^(e - 127), 32 elements a block.
// Codes: nibbles as in q4_0.glsl, [strip][block][16 rows]. Scales: the byte e, [strip][block][16 rows].
#include "weight_codes.glsl"
#include "fp4.glsl"

// 2^(e - 128), half of the scale: the codes are twice their value. Subnormal for e < 2; e = 255 is no special case.
float mxfp4_half_scale(uint e) { return uintBitsToFloat(e < 2 ? 0x00200000u << e : (e - 1u) << 23); }

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    const Tile code_tile = tile_at(codes, tile, 256u);
    const Tile scale_tile = tile_at(scales, tile, 16u);
    const uvec4 q = load_granule(code_tile, 0, row);
    // In two factors, neither of which is subnormal: devices may flush those, and the values need not be.
    const uint e = load_u8(scale_tile, 0, row);
    const float d = uintBitsToFloat((max(e, 2u) - 1u) << 23), rest = e == 0 ? 0.5 : e == 1 ? 1.0 : 2.0;
    [[unroll]] for (uint i = 0; i < 4; i++) {
        [[unroll]] for (uint j = 0; j < 4; j++) {
            const vec2 pair = fp4_pair(q[i], j) * rest * d;
            w[8 * i + 2 * j] = pair.x;
            w[8 * i + 2 * j + 1] = pair.y;
        }
    }
}

// Codes are 2 * E2M1: magnitudes 0 1 2 3 4 6 8 12, made bit by bit for four codes at once.
void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const Tile code_tile = tile_at(codes, tile, 256u);
    const Tile scale_tile = tile_at(scales, tile, 16u);
    uint n[8];
    unpack_4bit(load_granule(code_tile, 0, row), n);
    [[unroll]] for (uint i = 0; i < 8; i++) {
        const uint one = 0x01010101u;
        const uint x = n[i] & one, y = (n[i] >> 1) & one, z = (n[i] >> 2) & one;
        const uint bit1 = (y & ~z) | (x & z & ~y);
        const uint magnitude = (x & ~z) | bit1 << 1 | (z & (x | ~y)) << 2 | (y & z) << 3;
        const uint minus = (n[i] >> 3) & (x | y | z); // there is no -0, whose carry would reach the next code
        c[i] = (magnitude ^ (minus * 255u)) + minus;
    }
    d = mxfp4_half_scale(load_u8(scale_tile, 0, row));
    m = 0.0;
}

#define WEIGHT_HALVES_OWN
// The bits of E2M1 at the top of a half's exponent and mantissa are its value times 2^-14, subnormals included.
void weight_decode_halves(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out f16vec2 h[16]) {
    const Tile code_tile = tile_at(codes, tile, 256u);
    const Tile scale_tile = tile_at(scales, tile, 16u);
    const uvec4 q = load_granule(code_tile, 0, row);
    const f16vec2 d = f16vec2(2.0 * mxfp4_half_scale(load_u8(scale_tile, 0, row)));
    [[unroll]] for (uint i = 0; i < 4; i++) {
        [[unroll]] for (uint j = 0; j < 4; j++) {
            const uint pair = (q[i] >> (4 * j)) & 0x000f000fu;
            h[4 * i + j] = unpackFloat2x16((pair & 0x00080008u) << 12 | (pair & 0x00070007u) << 9) * f16vec2(16384.0hf) * d;
        }
    }
}

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: byte e, 16 bytes of nibbles.
#define SOURCE_BYTES 17
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    store_granule(code_tile, 0, row, read_nibbles(s, 1));
    AddrU8(scale_tile).v[row] = uint8_t(read_bits(s, 0));
}
#endif
