// 32 elements of a weight as pairs of halves in order, for fragments of cooperative matrices. Codes of 8 bits become halves by
// their bits alone: 0x6400 | c is 1024 + c, and taking 1024 off is exact. Scale and offset are rounded to halves, which costs no more
// than rounding the product does.
#ifdef WEIGHT_HALVES_OWN // the type has a shorter way
#elif defined(WEIGHT_CODES_SIGNED)
void weight_decode_halves(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out f16vec2 h[16]) {
    uint c[8];
    float d, m;
    weight_decode_int8(codes, scales, tile, row, c, d, m);
    const f16vec2 scale = f16vec2(d);
    [[unroll]] for (uint i = 0; i < 16; i++) {
        // pairs (0, 1), (2, 3), (4, 5), (6, 7) of a group of eight: low bytes of both words, then high bytes
        const uint pair = (c[i / 4 * 2 + i % 2] >> (8 * (i % 4 / 2))) & 0x00ff00ffu;
#if WEIGHT_CODES_SIGNED
        h[i] = (unpackFloat2x16(pair ^ 0x64806480u) - f16vec2(1152.0hf)) * scale;
#else
        h[i] = fma(unpackFloat2x16(pair | 0x64006400u) - f16vec2(1024.0hf), scale, f16vec2(m));
#endif
    }
}
#else
void weight_decode_halves(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out f16vec2 h[16]) {
    float w[32];
    weight_decode(codes, scales, tile, row, w);
    [[unroll]] for (uint i = 0; i < 16; i++) h[i] = f16vec2(w[2 * i], w[2 * i + 1]);
}
#endif
