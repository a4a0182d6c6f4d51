// The KV cache as pairs of halves, for fragments of cooperative matrices. Types f16, q8_0, q5_1, q5_0, q4_1, q4_0 and iq4_nl:
// f32 and bf16 may hold what halves do not. A code c becomes the half 1024 + c by its bits alone, or 64 + c where its lowest bit is
// bit 4; taking 1024 or 64 off is exact.

// value = (code - offset) * d + m on pairs whose codes begin in bit 0, or 4 if is_upper, of the halves of `codes`.
f16vec2 kv_scaled_pair(uint type, uint codes, bool is_upper, f16vec2 d, f16vec2 m) {
    if (type == kKvIq4Nl) {
        if (is_upper) codes >>= 4;
        const int lo = int(iq4_level(codes & 15u) << 24) >> 24, hi = int(iq4_level(codes >> 16) << 24) >> 24;
        return f16vec2(lo, hi) * d;
    }
    const f16vec2 raised = unpackFloat2x16(codes | (is_upper ? 0x54005400u : 0x64006400u));
    const float16_t base = is_upper ? 64.0hf : 1024.0hf;
    if (kv_has_minimum(type)) return fma(raised - f16vec2(base), d, m);
    const float16_t offset = type == kKvQ8_0 ? 128.0hf : type == kKvQ5_0 ? 16.0hf : 8.0hf;
    return (raised - f16vec2(base + offset)) * d;
}
// The same of pair n of halves that hold four or two codes each, and of the bits above, if the type has any.
f16vec2 kv_nth_pair(uint type, uint halves, uint n, uint high, f16vec2 d, f16vec2 m) {
    if (type == kKvQ8_0) return kv_scaled_pair(type, (halves >> (8 * n)) & 0x00ff00ffu, false, d, m);
    const bool is_upper = n % 2 != 0;
    uint codes = (halves >> (8 * (n / 2))) & (is_upper ? 0x00f000f0u : 0x000f000fu);
    if (kv_has_high_bits(type)) codes |= high << (is_upper ? 8 : 4);
    return kv_scaled_pair(type, codes, is_upper, d, m);
}

// Scale and minimum of a block, twice.
void kv_scale_halves(uint type, uint64_t scales, uint index, out f16vec2 d, out f16vec2 m) {
    d = m = f16vec2(0.0hf);
    if (!kv_is_quantised(type)) return;
    if (kv_has_minimum(type)) {
        const f16vec2 both = unpackFloat2x16(AddrU32(scales).v[index]);
        d = both.xx;
        m = both.yy;
    } else {
        d = f16vec2(AddrF16(scales).v[index]);
    }
}

// The dimensions of a word, in order; only the first kv_word_dims() / 2 pairs count.
void kv_word_halves(uint type, uint word, uint high, f16vec2 d, f16vec2 m, out f16vec2 x[4]) {
    if (type == kKvF16) {
        x[0] = unpackFloat2x16(word);
        return;
    }
    [[unroll]] for (uint j = 0; j < (type == kKvQ8_0 ? 2 : 4); j++)
        x[j] = kv_nth_pair(type, word, j, ((high >> (2 * j)) & 1u) | ((high >> (2 * j + 1)) & 1u) << 16, d, m);
}

// n = 8, 16 or 32 elements from dimension `dim` on in order, a multiple of n, of a token's K whose addresses were advanced to
// the lane's part. `first_bit` is where the lane's high bits begin in their word. `dim` is constant, or the same for
// all lanes: it becomes part of the instructions.
void kv_key_halves(uint type, KvHead key, uint page_tokens, uint dim, uint n, uint first_bit, out f16vec2 x[16]) {
    const uint64_t codes = key.codes + kv_key_words(type, page_tokens, dim);
    if (type == kKvF16) {
        [[unroll]] for (uint i = 0; i < n / 8; i++) {
            const uvec4 w = AddrU32x4(codes).v[page_tokens * i];
            [[unroll]] for (uint j = 0; j < 4; j++) x[4 * i + j] = unpackFloat2x16(w[j]);
        }
        return;
    }
    f16vec2 d, m;
    kv_scale_halves(type, key.scales + kv_key_scales(type, page_tokens, dim), 0, d, m);
    if (type == kKvQ8_0) {
        uint w[8];
        if (n == 8) {
            const uvec2 two = AddrU32x2(codes).v[0];
            w[0] = two.x;
            w[1] = two.y;
        } else {
            [[unroll]] for (uint i = 0; i < n / 16; i++) {
                const uvec4 four = AddrU32x4(codes).v[page_tokens * i];
                [[unroll]] for (uint j = 0; j < 4; j++) w[4 * i + j] = four[j];
            }
        }
        [[unroll]] for (uint i = 0; i < n / 4; i++) {
            f16vec2 pairs[4];
            kv_word_halves(type, w[i], 0, d, m, pairs);
            [[unroll]] for (uint j = 0; j < 2; j++) x[2 * i + j] = pairs[j];
        }
        return;
    }
    uvec4 w;
    if (n == 32) {
        w = AddrU32x4(codes).v[0];
    } else if (n == 16) {
        w.xy = AddrU32x2(codes).v[0];
    } else {
        w.x = AddrU32(codes).v[0];
    }
    const uint high =
        kv_has_high_bits(type) ? AddrU32(key.highs + kv_key_highs(page_tokens, dim)).v[0] >> (dim % 32 + first_bit) : 0u;
    [[unroll]] for (uint i = 0; i < n / 8; i++) {
        f16vec2 pairs[4];
        kv_word_halves(type, w[i], high >> (8 * i), d, m, pairs);
        [[unroll]] for (uint j = 0; j < 4; j++) x[4 * i + j] = pairs[j];
    }
}

// Scales (and minima) of n = 8 or 16 consecutive tokens of a column of V as pairs of neighbours; `token` is a multiple of 8.
void kv_column_scales(uint type, KvColumn column, uint token, uint n, out f16vec2 d[8], out f16vec2 m[8]) {
    [[unroll]] for (uint i = 0; i < 8; i++) d[i] = m[i] = f16vec2(0.0hf);
    if (!kv_is_quantised(type)) return;
    if (kv_has_minimum(type)) {
        [[unroll]] for (uint i = 0; i < n / 4; i++) {
            const uvec4 w = AddrU32x4(column.scales).v[token / 4 + i];
            [[unroll]] for (uint j = 0; j < 2; j++) {
                const f16vec2 a = unpackFloat2x16(w[2 * j]), b = unpackFloat2x16(w[2 * j + 1]);
                d[2 * i + j] = f16vec2(a.x, b.x);
                m[2 * i + j] = f16vec2(a.y, b.y);
            }
        }
    } else {
        [[unroll]] for (uint i = 0; i < n / 8; i++) {
            const uvec4 w = AddrU32x4(column.scales).v[token / 8 + i];
            [[unroll]] for (uint j = 0; j < 4; j++) d[4 * i + j] = unpackFloat2x16(w[j]);
        }
    }
}

// Dimension j of the words of two tokens. The lower or upper halves of both words hold every other dimension.
f16vec2 kv_pair_halves(uint type, uint j, uint a, uint b, uint high_a, uint high_b, f16vec2 d, f16vec2 m) {
    const uint both = pack32(u16vec2(unpack16(a)[j % 2], unpack16(b)[j % 2]));
    if (type == kKvF16) return unpackFloat2x16(both);
    return kv_nth_pair(type, both, j / 2, ((high_a >> j) & 1u) | ((high_b >> j) & 1u) << 16, d, m);
}

// The same for a j that differs between lanes.
f16vec2 kv_pair_halves_at(uint type, uint j, uint a, uint b, uint high_a, uint high_b, f16vec2 d, f16vec2 m) {
    const uint shift = 16 * (j & 1u);
    const uint both = ((a >> shift) & 0xffffu) | (b >> shift) << 16;
    if (type == kKvF16) return unpackFloat2x16(both);
    if (type == kKvQ8_0) return kv_nth_pair(type, both, j / 2, 0, d, m);
    uint codes = (both >> (4 * (j / 2))) & 0x000f000fu;
    if (kv_has_high_bits(type)) codes |= ((high_a >> j) & 1u) << 4 | ((high_b >> j) & 1u) << 20;
    return kv_scaled_pair(type, codes, false, d, m);
}
