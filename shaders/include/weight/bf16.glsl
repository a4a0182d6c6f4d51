// BF16: 32 elements are four granules of 8 in order, [strip][block][4][16 rows]; no scales.

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    [[unroll]] for (uint g = 0; g < 4; g++) {
        const uvec4 q = AddrU32x4(codes + tile * 1024).v[g * 16 + row];
        [[unroll]] for (uint i = 0; i < 4; i++) {
            const vec2 pair = uintBitsToFloat(uvec2(q[i] << 16, q[i] & 0xffff0000u));
            w[8 * g + 2 * i] = pair.x;
            w[8 * g + 2 * i + 1] = pair.y;
        }
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
