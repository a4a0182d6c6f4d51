// F16: 32 elements are four granules of 8 halves in order, [strip][block][4][16 rows]; no scales.
#include "weight_codes.glsl"

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    [[unroll]] for (uint g = 0; g < 4; g++) {
        const uvec4 q = load_granule(tile_at(codes, tile, 1024u), g, row);
        [[unroll]] for (uint i = 0; i < 4; i++) {
            const vec2 pair = unpackHalf2x16(q[i]);
            w[8 * g + 2 * i] = pair.x;
            w[8 * g + 2 * i + 1] = pair.y;
        }
    }
}

#define WEIGHT_HALVES_OWN
void weight_decode_halves(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out f16vec2 h[16]) {
    [[unroll]] for (uint g = 0; g < 4; g++) {
        const uvec4 q = load_granule(tile_at(codes, tile, 1024u), g, row);
        [[unroll]] for (uint i = 0; i < 4; i++) h[4 * g + i] = unpackFloat2x16(q[i]);
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
