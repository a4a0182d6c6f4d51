// A token's K and V into the paged cache (kv.glsl). Quantised types follow the reference quantisers.
// The includer declares head[] and the constants n_kv_heads, page_tokens and local_size (one subgroup).
// Nearest of sixteen levels that ascend.
uint nearest_iq4(float x) {
    uint best = 0;
    float distance = 1e30;
    for (uint i = 0; i < 16; i++) {
        const float away = abs(x - float(int(iq4_level(i) << 24) >> 24));
        if (away < distance) {
            distance = away;
            best = i;
        }
    }
    return best;
}

// Scale, minimum and 1 / scale of 32 elements of head[], as the reference quantisers choose them.
vec3 block_scale(uint type, uint first) {
    float largest = 0.0, lo = head[first], hi = lo;
    for (uint i = 0; i < 32; i++) {
        const float v = head[first + i];
        if (abs(v) > abs(largest)) largest = v;
        lo = min(lo, v);
        hi = max(hi, v);
    }
    float d;
    if (kv_has_minimum(type)) {
        d = (hi - lo) / (type == kKvQ4_1 ? 15.0 : 31.0);
    } else if (type == kKvQ8_0) {
        d = abs(largest) / 127.0;
    } else {
        d = largest / (type == kKvQ4_0 ? -8.0 : type == kKvQ5_0 ? -16.0 : -127.0);
    }
    const float inverse = d != 0.0 ? 1.0 / d : 0.0;
    if (type == kKvIq4Nl) { // least squares for the chosen levels, weighted by the squares
        float weighted = 0.0, squares = 0.0;
        for (uint i = 0; i < 32; i++) {
            const float v = head[first + i];
            const float level = float(int(iq4_level(nearest_iq4(v * inverse)) << 24) >> 24);
            weighted += v * v * level * v;
            squares += v * v * level * level;
        }
        if (squares > 0.0) d = weighted / squares;
        return vec3(d, 0.0, inverse); // levels are chosen with the first scale
    }
    return vec3(d, lo, inverse);
}

// The code as kv.glsl stores it.
uint code_of(uint type, float v, vec3 scale) {
    if (type == kKvQ8_0) {
        const float scaled = v * scale.z;
        return uint(int(trunc(scaled + (scaled < 0.0 ? -0.5 : 0.5))) + 128);
    }
    if (type == kKvIq4Nl) return nearest_iq4(v * scale.z);
    if (kv_has_minimum(type)) return min(type == kKvQ4_1 ? 15u : 31u, uint((v - scale.y) * scale.z + 0.5));
    if (type == kKvQ5_0) return uint(min(31, int(v * scale.z + 16.5)));
    return uint(min(15, int(v * scale.z + 8.5)));
}

uint word_of(uint type, uint first, vec3 scale, out uint high) {
    high = 0;
    if (type == kKvF32) return floatBitsToUint(head[first]);
    if (type == kKvBf16) { // to nearest, ties to even
        const uvec2 bits = uvec2(floatBitsToUint(head[first]), floatBitsToUint(head[first + 1]));
        const uvec2 rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
        return rounded.x | rounded.y << 16;
    }
    uint word = 0;
    for (uint i = 0; i < kv_word_dims(type); i++) {
        const uint code = code_of(type, head[first + i], scale);
        if (type == kKvQ8_0) {
            word |= code << (16 * (i & 1) + 8 * (i >> 1));
        } else {
            word |= (code & 15u) << (16 * (i & 1) + 4 * (i >> 1));
            high |= (code >> 4) << i;
        }
    }
    return word;
}

// Stores n_dims of head[from ..] as a token of a K/V head: one unit of 32 dimensions, or one word where the type has no blocks, per lane
// and turn.
void store(uint type, bool is_value, uint64_t pool, uint page, uint kv_head, uint slot, uint from, uint n_dims) {
    const KvHead to = kv_head_of(type, pool, page, n_kv_heads, page_tokens, n_dims, kv_head);
    const uint dims = kv_word_dims(type);
    const uint unit_dims = kv_is_quantised(type) ? 32 : dims;
    for (uint unit = gl_LocalInvocationIndex; unit < n_dims / unit_dims; unit += local_size) {
        vec3 scale = vec3(0.0);
        if (kv_is_quantised(type)) {
            scale = block_scale(type, from + unit * 32);
            if (kv_has_minimum(type)) {
                AddrF16x2(to.scales).v[unit * page_tokens + slot] = f16vec2(scale.xy);
            } else {
                AddrF16(to.scales).v[unit * page_tokens + slot] = float16_t(scale.x);
            }
        }
        uint highs = 0;
        for (uint w = 0; w < unit_dims / dims; w++) {
            const uint word = unit * (unit_dims / dims) + w;
            const uint key_at = (word / 4 * page_tokens + slot) * 4 + word % 4;
            const uint value_at = (slot / 4 * (n_dims / dims) + word) * 4 + slot % 4;
            const uint at = is_value ? value_at : key_at, first = from + word * dims;
            if (type == kKvF16) { // to nearest: packHalf2x16 truncates on RADV
                AddrF16x2(to.codes).v[at] = f16vec2(vec2(head[first], head[first + 1]));
                continue;
            }
            uint high;
            AddrU32(to.codes).v[at] = word_of(type, first, scale, high);
            highs |= high << (dims * w);
        }
        if (kv_has_high_bits(type)) AddrU32(to.highs).v[unit * page_tokens + slot] = highs;
    }
}
