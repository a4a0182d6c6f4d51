// F32: 32 elements are eight granules of 4 in order, [strip][block][8][16 rows]; no scales.

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    [[unroll]] for (uint g = 0; g < 8; g++) {
        const vec4 q = AddrF32x4(codes + tile * 2048).v[g * 16 + row];
        [[unroll]] for (uint i = 0; i < 4; i++) w[4 * g + i] = q[i];
    }
}

void weight_repack(uint64_t source, uint64_t block, uint64_t codes, uint64_t scales, uint64_t tile, uint row, bool is_padding) {
    AddrU32 from = AddrU32(source + block * 128);
    [[unroll]] for (uint g = 0; g < 8; g++) {
        uvec4 q = uvec4(0);
        if (!is_padding) {
            [[unroll]] for (uint i = 0; i < 4; i++) q[i] = from.v[4 * g + i];
        }
        AddrU32x4(codes + tile * 2048).v[g * 16 + row] = q;
    }
}
