// weight_decode of a type whose blocks of 32 are int8 codes with one scale and one offset.
void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    uint c[8];
    float d, m;
    weight_decode_int8(codes, scales, tile, row, c, d, m);
#if WEIGHT_CODES_SIGNED
    [[unroll]] for (uint e = 0; e < 32; e++) w[e] = d * signed_code_at(c, e) + m;
#else
    [[unroll]] for (uint e = 0; e < 32; e++) w[e] = d * code_at(c, e) + m;
#endif
}
