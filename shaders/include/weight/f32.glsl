// F32: 32 elements are eight granules of 4 in order, [strip][block][8][16 rows]; no scales.
#include "weight_codes.glsl"

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    [[unroll]] for (uint g = 0; g < 8; g++) {
        const vec4 q = uintBitsToFloat(load_granule(tile_at(codes, tile, 2048u), g, row));
        [[unroll]] for (uint i = 0; i < 4; i++) w[4 * g + i] = q[i];
    }
}

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: 32 elements in order.
#define SOURCE_BYTES 128
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    [[unroll]] for (uint g = 0; g < 8; g++) store_granule(code_tile, g, row, read_granule(s, 16 * g));
}
#endif
