// Q8_0: value = d * code, 32 elements a block.
// Codes: two granules of 16 bytes a row and block, [strip][block][2][16 rows]; a pair of words holds 8 elements in the
// packed int8 order: bytes of the first (0, 4, 1, 5), of the second (2, 6, 3, 7). Scales: f16 [strip][block][16 rows].
#include "weight_codes.glsl"

#define WEIGHT_CODES_SIGNED 1

// Bit position of element e (0..7) inside its pair of words: word (e >> 1) & 1.
uint q8_shift(uint e) { return 16u * (e & 1u) + 8u * (e >> 2); }

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    const float d = float(load_f16(tile_at(scales, tile, 32u), 0, row));
    [[unroll]] for (uint g = 0; g < 2; g++) {
        const uvec4 q = load_granule(tile_at(codes, tile, 512u), g, row);
        [[unroll]] for (uint e = 0; e < 16; e++) {
            const uint word = q[2 * (e / 8) + ((e >> 1) & 1)];
            w[16 * g + e] = d * float(bitfieldExtract(int(word), int(q8_shift(e % 8)), 8));
        }
    }
}

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    d = float(load_f16(tile_at(scales, tile, 32u), 0, row));
    m = 0.0;
    [[unroll]] for (uint g = 0; g < 2; g++) {
        const uvec4 q = load_granule(tile_at(codes, tile, 512u), g, row);
        [[unroll]] for (uint i = 0; i < 4; i++) c[4 * g + i] = q[i];
    }
}

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: f16 d, then 32 signed bytes.
#define SOURCE_BYTES 34
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    uint c[8];
    read_ordered(s, 2, c);
    store_granule(code_tile, 0, row, uvec4(c[0], c[1], c[2], c[3]));
    store_granule(code_tile, 1, row, uvec4(c[4], c[5], c[6], c[7]));
    AddrU16(scale_tile).v[row] = read_u16(s, 0);
}
#endif
