// Q4_K: value = d * scale * code - dmin * minimum, super-blocks of 256 with 6-bit scale and minimum a block.
// Codes: nibbles as in q4_0.glsl, [strip][super-block][8 blocks][16 rows]. Scales: the 16-byte header of the file,
// [strip][super-block][16 rows] (k_scales.glsl).
#include "weight_codes.glsl"
#include "k_scales.glsl"
#define WEIGHT_CODES_SIGNED 0

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const Tile code_tile = super_tile_at(codes, tile >> 3, 2048u);
    const Tile scale_tile = super_tile_at(scales, tile >> 3, 256u);
    const uint b = own_block(tile, 7u);
    unpack_4bit(load_block_granule(code_tile, 0, b, row), c);
    k_scale_min(load_granule(scale_tile, 0, row), b, d, m);
}

#include "weight_from_int8.glsl"

#define WEIGHT_HALVES_OWN
void weight_decode_halves(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out f16vec2 h[16]) {
    const uint b = own_block(tile, 7u);
    const uvec4 q = load_block_granule(super_tile_at(codes, tile >> 3, 2048u), 0, b, row);
    const f16vec2 d = k_scale_min_halves(load_granule(super_tile_at(scales, tile >> 3, 256u), 0, row), b);
    [[unroll]] for (uint i = 0; i < 4; i++) {
        [[unroll]] for (uint j = 0; j < 4; j++) {
            const f16vec2 code = unpackFloat2x16(((q[i] >> (4 * j)) & 0x000f000fu) | 0x64006400u) - f16vec2(1024.0hf);
            h[4 * i + j] = fma(code, d.xx, -d.yy);
        }
    }
}

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: header of 16 bytes, then 32 bytes for each two blocks: low nibbles the even one, high nibbles the odd one.
#define SOURCE_BYTES 144
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    store_paired_nibbles(s, 16, code_tile, row);
    store_granule(scale_tile, 0, row, read_granule(s, 0));
}
#endif
