// BF16: 32 elements are four granules of 8 in order, [strip][block][4][16 rows]; no scales.
#include "weight_codes.glsl"

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    [[unroll]] for (uint g = 0; g < 4; g++) {
        const uvec4 q = load_granule(tile_at(codes, tile, 1024u), g, row);
        [[unroll]] for (uint i = 0; i < 4; i++) {
            const vec2 pair = uintBitsToFloat(uvec2(q[i] << 16, q[i] & 0xffff0000u));
            w[8 * g + 2 * i] = pair.x;
            w[8 * g + 2 * i + 1] = pair.y;
        }
    }
}

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: 32 elements in order.
#define SOURCE_BYTES 64
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    [[unroll]] for (uint g = 0; g < 4; g++) store_granule(code_tile, g, row, read_granule(s, 16 * g));
}
#endif
