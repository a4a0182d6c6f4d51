// NVFP4: value = E2M1 * UE4M3 scale, blocks of 64 with a scale for 16 elements.
// Codes: nibbles as in q4_0.glsl, [strip][block of 64][2 blocks of 32][16 rows]. Scales: [strip][block of 64][16 rows] of four
// bytes as in the file.
#include "weight_codes.glsl"
#include "fp4.glsl"

// The bits of UE4M3 are those of a half 2^8 times smaller, subnormals included; 0x7f stands for 0.
float ue4m3(uint x) { return (x & 127u) == 127u ? 0.0 : half_bits_to_float((x & 127u) << 7) * 256.0; }

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    const Tile code_tile = super_tile_at(codes, tile >> 1, 512u);
    const Tile scale_tile = super_tile_at(scales, tile >> 1, 64u);
    const uint b = own_block(tile, 1u);
    const uvec4 q = load_block_granule(code_tile, 0, b, row);
    const uint pair_of_scales = load_u32(scale_tile, 0, row) >> (16 * b);
    const float d[2] = float[2](ue4m3(pair_of_scales), ue4m3(pair_of_scales >> 8));
    [[unroll]] for (uint i = 0; i < 4; i++) {
        [[unroll]] for (uint j = 0; j < 4; j++) {
            const vec2 pair = fp4_pair(q[i], j) * d[i / 2];
            w[8 * i + 2 * j] = pair.x;
            w[8 * i + 2 * j + 1] = pair.y;
        }
    }
}

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: four scales, then 8 bytes for each 16 elements: element j low, j + 8 high.
#define SOURCE_BYTES 36
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    [[unroll]] for (uint b = 0; b < 2; b++) {
        const uvec4 w = read_granule(s, 4 + 16 * b); // elements 0..7 low, 8..15 high nibbles of the first two words
        uvec4 q;
        [[unroll]] for (uint h = 0; h < 2; h++) {
            uint first, second;
            order_eight(w[2 * h], w[2 * h + 1], first, second);
            q[2 * h] = (first & 0x0f0f0f0fu) | (second & 0x0f0f0f0fu) << 4;
            q[2 * h + 1] = ((first >> 4) & 0x0f0f0f0fu) | (second & 0xf0f0f0f0u);
        }
        store_granule(code_tile, b, row, q);
    }
    AddrU32(scale_tile).v[row] = read_u32(s, 0);
}
#endif
