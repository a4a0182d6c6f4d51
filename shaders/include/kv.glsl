// The paged KV cache: element types and addressing, for the kernels that write and read it. A page holds, per plane,
//   K: [kv head][granule][token]: granules of four code words  (a lane owns a token, and lanes side by side read side by side)
//   V: [kv head][four tokens][word]: granules of a word's four tokens  (a lane owns a word, and so do its neighbours)
// and after the codes of both words of high bits, then scales, each [kv head][unit of 32 dimensions][token].
// A code word is 32 bits of one token: 1 dimension of f32, 2 of f16 and bf16, 4 of q8_0, 8 of the 4- and 5-bit types. Types
// carry their ggml ids and arrive as specialisation constants, so any K type pairs with any V type.
// Order within a word: such that one mask makes pairs of halves. 8 codes: 2j in nibble j, 2j + 1 in nibble j + 4; 4 codes:
// 0, 2, 1, 3 by bytes, each plus 128. Values as in the GGUF types of the same names.
#include "iq4_level.glsl"

const uint kKvF32 = 0u;
const uint kKvF16 = 1u;
const uint kKvQ4_0 = 2u;
const uint kKvQ4_1 = 3u;
const uint kKvQ5_0 = 6u;
const uint kKvQ5_1 = 7u;
const uint kKvQ8_0 = 8u;
const uint kKvIq4Nl = 20u;
const uint kKvBf16 = 30u;

// Dimensions of a code word; a macro, so that it may size arrays.
#define KV_WORD_DIMS(type) ((type) == kKvF32 ? 1u : (type) == kKvF16 || (type) == kKvBf16 ? 2u : (type) == kKvQ8_0 ? 4u : 8u)
uint kv_word_dims(uint type) { return KV_WORD_DIMS(type); }
bool kv_has_high_bits(uint type) { return type == kKvQ5_0 || type == kKvQ5_1; }
bool kv_has_minimum(uint type) { return type == kKvQ4_1 || type == kKvQ5_1; }
bool kv_is_quantised(uint type) { return kv_word_dims(type) >= 4; }

// Bytes of n dimensions of one token in each plane.
uint kv_code_bytes(uint type, uint n) { return n / kv_word_dims(type) * 4; }
uint kv_high_bytes(uint type, uint n) { return kv_has_high_bits(type) ? n / 8 : 0; }
uint kv_scale_unit(uint type) { return kv_has_minimum(type) ? 4 : 2; } // f16, or f16 scale and f16 minimum
uint kv_scale_bytes(uint type, uint n) { return kv_is_quantised(type) ? n / 32 * kv_scale_unit(type) : 0; }
uint kv_row_bytes(uint type, uint n) { return kv_code_bytes(type, n) + kv_high_bytes(type, n) + kv_scale_bytes(type, n); }

// Planes of one head of a page.
struct KvHead {
    uint64_t codes, highs, scales;
};
KvHead kv_head_of(uint type, uint64_t pool, uint page, uint n_kv_heads, uint page_tokens, uint head_size, uint head) {
    const uint64_t rows = uint64_t(n_kv_heads * page_tokens);
    const uint64_t base = pool + page * rows * kv_row_bytes(type, head_size);
    const uint64_t highs = base + rows * kv_code_bytes(type, head_size);
    const uint64_t scales = highs + rows * kv_high_bytes(type, head_size);
    const uint first = head * page_tokens;
    return KvHead(base + first * kv_code_bytes(type, head_size), highs + first * kv_high_bytes(type, head_size),
                  scales + first * kv_scale_bytes(type, head_size));
}

// A token's K: where its first granule, word of high bits and scale lie.
KvHead kv_key(uint type, KvHead head, uint token) {
    return KvHead(head.codes + token * 16, head.highs + token * 4, head.scales + token * kv_scale_unit(type));
}
// How much further the word, word of high bits and scale of a dimension lie; page_tokens keys share a granule's stretch.
uint kv_key_words(uint type, uint page_tokens, uint dim) {
    const uint dims = kv_word_dims(type);
    return dim / (4 * dims) * page_tokens * 16 + dim % (4 * dims) / dims * 4;
}
uint kv_key_highs(uint page_tokens, uint dim) { return dim / 32 * page_tokens * 4; }
uint kv_key_scales(uint type, uint page_tokens, uint dim) { return dim / 32 * page_tokens * kv_scale_unit(type); }

// (d, m) of value = d * code + m, for codes as they stand in the words.
vec2 kv_scale_without_minimum(uint type, float d);
vec2 kv_scale(uint type, uint64_t scales, uint index) {
    if (kv_has_minimum(type)) return unpackHalf2x16(AddrU32(scales).v[index]);
    return kv_scale_without_minimum(type, float(AddrF16(scales).v[index]));
}
vec2 kv_scale_without_minimum(uint type, float d) {
    if (type == kKvQ8_0) return vec2(d, -128.0 * d);
    if (type == kKvQ5_0) return vec2(d, -16.0 * d);
    return vec2(d, type == kKvIq4Nl ? 0.0 : -8.0 * d);
}

// The codes of a word of 8, pairs in order of dimensions: each in the low byte of a half of c[0..3], without offset of the type.
void kv_codes8(uint type, uint word, uint high, out uint c[4]) {
    [[unroll]] for (uint j = 0; j < 4; j++) {
        c[j] = (word >> (4 * j)) & 0x000f000fu;
        if (kv_has_high_bits(type)) c[j] |= ((high >> (2 * j)) & 1u) << 4 | ((high >> (2 * j + 1)) & 1u) << 20;
    }
}

float kv_value(uint type, uint code, vec2 scale) {
    if (type == kKvIq4Nl) return scale.x * float(int(iq4_level(code) << 24) >> 24);
    return fma(scale.x, float(code), scale.y);
}

// Elements of one word; `high` holds the high bits of its dimensions, lowest first. Only the first kv_word_dims() count.
void kv_decode_word(uint type, uint word, uint high, vec2 scale, out float x[8]) {
    if (type == kKvF32) {
        x[0] = uintBitsToFloat(word);
    } else if (type == kKvF16) {
        const vec2 pair = unpackHalf2x16(word);
        x[0] = pair.x;
        x[1] = pair.y;
    } else if (type == kKvBf16) {
        x[0] = uintBitsToFloat(word << 16);
        x[1] = uintBitsToFloat(word & 0xffff0000u);
    } else if (type == kKvQ8_0) {
        x[0] = kv_value(type, word & 255u, scale);
        x[1] = kv_value(type, (word >> 16) & 255u, scale);
        x[2] = kv_value(type, (word >> 8) & 255u, scale);
        x[3] = kv_value(type, word >> 24, scale);
    } else {
        uint c[4];
        kv_codes8(type, word, high, c);
        [[unroll]] for (uint j = 0; j < 4; j++) {
            x[2 * j] = kv_value(type, c[j] & 255u, scale);
            x[2 * j + 1] = kv_value(type, c[j] >> 16, scale);
        }
    }
}

// Some of a token's K in registers: a granule (two of f32), and what decodes it.
struct KvGranule {
    uvec4 words, more;
    uint high;
    vec2 scale;
};
// Dimensions of it.
#define KV_GRANULE_DIMS(type) ((type) == kKvF32 ? 8u : 4u * KV_WORD_DIMS(type))

// From dimension d on, a multiple of their number.
KvGranule kv_load_granule(uint type, KvHead key, uint page_tokens, uint d) {
    KvGranule g;
    const uint64_t codes = key.codes + kv_key_words(type, page_tokens, d);
    g.words = AddrU32x4(codes).v[0];
    g.more = type == kKvF32 ? AddrU32x4(codes).v[page_tokens] : uvec4(0);
    g.scale = kv_is_quantised(type) ? kv_scale(type, key.scales + kv_key_scales(type, page_tokens, d), 0) : vec2(0.0);
    g.high = kv_has_high_bits(type) ? AddrU32(key.highs + kv_key_highs(page_tokens, d)).v[0] : 0u;
    return g;
}

// Takes the first eight elements.
void kv_take8(uint type, inout KvGranule g, out float x[8]) {
    const uint dims = kv_word_dims(type);
    if (dims == 8) {
        kv_decode_word(type, g.words.x, g.high, g.scale, x);
        g.words = g.words.yzwx;
        g.high >>= 8;
        return;
    }
    [[unroll]] for (uint i = 0; i < 8 / dims; i++) {
        float part[8];
        kv_decode_word(type, i < 4 ? g.words[i % 4] : g.more[i % 4], 0, g.scale, part);
        [[unroll]] for (uint j = 0; j < dims; j++) x[dims * i + j] = part[j];
    }
    g.words = g.words.zwxy; // q8_0; the others have no more
}

// Where the word of V that holds dimensions unit * kv_word_dims() .. of token 0 lies, and with it its scale and high bits. The
// granules of a word are as many apart as a token has words. `is_latent`: V is the front of K's rows and lies as K does.
struct KvColumn {
    uint64_t codes, highs, scales;
    uint high_shift;
};
KvColumn kv_value_column(uint type, KvHead head, uint page_tokens, uint unit, bool is_latent) {
    const uint block = unit * kv_word_dims(type) / 32;
    const uint at = is_latent ? unit / 4 * page_tokens * 16 + unit % 4 * 4 : unit * 16;
    return KvColumn(head.codes + at, head.highs + block * page_tokens * 4,
                    head.scales + block * page_tokens * kv_scale_unit(type), unit * kv_word_dims(type) % 32);
}
// The word in tokens 4 * quad .. 4 * quad + 3.
uvec4 kv_column_words(KvColumn column, uint n_words, uint quad, bool is_latent) {
    if (!is_latent) return AddrU32x4(column.codes).v[quad * n_words];
    uvec4 words;
    [[unroll]] for (uint j = 0; j < 4; j++) words[j] = AddrU32(column.codes).v[16 * quad + 4 * j];
    return words;
}
// Scales and words of high bits of the same tokens, each from one load.
void kv_column_scales4(uint type, KvColumn column, uint quad, out vec2 scale[4]) {
    if (kv_has_minimum(type)) {
        const uvec4 w = AddrU32x4(column.scales).v[quad];
        [[unroll]] for (uint j = 0; j < 4; j++) scale[j] = unpackHalf2x16(w[j]);
    } else {
        const uvec2 w = kv_is_quantised(type) ? AddrU32x2(column.scales).v[quad] : uvec2(0);
        const vec4 d = vec4(unpackHalf2x16(w.x), unpackHalf2x16(w.y));
        [[unroll]] for (uint j = 0; j < 4; j++) scale[j] = kv_scale_without_minimum(type, d[j]);
    }
}
uvec4 kv_column_highs4(uint type, KvColumn column, uint quad) {
    return kv_has_high_bits(type) ? AddrU32x4(column.highs).v[quad] >> column.high_shift : uvec4(0);
}
uint kv_column_high(uint type, KvColumn column, uint token) {
    return kv_has_high_bits(type) ? AddrU32(column.highs).v[token] >> column.high_shift : 0u;
}
