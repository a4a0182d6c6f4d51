// F16: 32 elements are four granules of 8 halves in order, [strip][block][4][16 rows]; no scales.

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    [[unroll]] for (uint g = 0; g < 4; g++) {
        const uvec4 q = AddrU32x4(codes + tile * 1024).v[g * 16 + row];
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
        const uvec4 q = AddrU32x4(codes + tile * 1024).v[g * 16 + row];
        [[unroll]] for (uint i = 0; i < 4; i++) h[4 * g + i] = unpackFloat2x16(q[i]);
    }
}

void weight_repack(uint64_t source, uint64_t block, uint64_t codes, uint64_t scales, uint64_t tile, uint row, bool is_padding) {
    AddrU32 from = AddrU32(source + block * 64);
    [[unroll]] for (uint g = 0; g < 4; g++) {
        uvec4 q = uvec4(0);
        if (!is_padding) {
            [[unroll]] for (uint i = 0; i < 4; i++) q[i] = from.v[4 * g + i];
        }
        AddrU32x4(codes + tile * 1024).v[g * 16 + row] = q;
    }
}
