// The paged KV cache: element types and addressing, for the kernels that write and read it.
//   page: [kv head][token of the page][head_size] codes, then [kv head][token of the page][head_size / 32] f16 scales
// Types carry their ggml ids and arrive as specialisation constants, so any K type pairs with any V type. Quantised rows
// hold elements in order: q8_0 one signed byte each, q4_0 low nibble first, value = d * (code - 8).
const uint kKvF32 = 0u;
const uint kKvF16 = 1u;
const uint kKvQ4_0 = 2u;
const uint kKvQ8_0 = 8u;

bool kv_is_quantised(uint type) { return type == kKvQ4_0 || type == kKvQ8_0; }

uint kv_code_bytes(uint type, uint n) {
    if (type == kKvF32) return n * 4;
    if (type == kKvF16) return n * 2;
    if (type == kKvQ8_0) return n;
    return n / 2;
}

uint kv_scale_bytes(uint type, uint n) { return kv_is_quantised(type) ? n / 16 : 0; }

uint64_t kv_page_bytes(uint type, uint n_kv_heads, uint page_tokens, uint head_size) {
    return uint64_t(n_kv_heads * page_tokens) * (kv_code_bytes(type, head_size) + kv_scale_bytes(type, head_size));
}

struct KvRow {
    uint64_t codes;
    uint64_t scales;
};

KvRow kv_row(uint type, uint64_t pool, uint page, uint n_kv_heads, uint page_tokens, uint head_size, uint head, uint token) {
    const uint64_t base = pool + page * kv_page_bytes(type, n_kv_heads, page_tokens, head_size);
    const uint row = head * page_tokens + token;
    const uint64_t scales = base + uint64_t(n_kv_heads * page_tokens) * kv_code_bytes(type, head_size);
    return KvRow(base + row * kv_code_bytes(type, head_size), scales + row * kv_scale_bytes(type, head_size));
}

// Elements d .. d + 7 of a row; d is a multiple of 8.
void kv_load8(uint type, KvRow row, uint d, out vec4 a, out vec4 b) {
    if (type == kKvF32) {
        a = AddrF32x4(row.codes).v[d / 4];
        b = AddrF32x4(row.codes).v[d / 4 + 1];
    } else if (type == kKvF16) {
        const uvec4 q = AddrU32x4(row.codes).v[d / 8];
        a = vec4(unpackHalf2x16(q.x), unpackHalf2x16(q.y));
        b = vec4(unpackHalf2x16(q.z), unpackHalf2x16(q.w));
    } else if (type == kKvQ8_0) {
        const uvec2 q = AddrU32x2(row.codes).v[d / 8];
        const float scale = float(AddrF16(row.scales).v[d / 32]);
        a = scale * vec4(int(q.x << 24) >> 24, int(q.x << 16) >> 24, int(q.x << 8) >> 24, int(q.x) >> 24);
        b = scale * vec4(int(q.y << 24) >> 24, int(q.y << 16) >> 24, int(q.y << 8) >> 24, int(q.y) >> 24);
    } else {
        const uint q = AddrU32(row.codes).v[d / 8];
        const float scale = float(AddrF16(row.scales).v[d / 32]);
        a = scale * (vec4(q & 15u, (q >> 4) & 15u, (q >> 8) & 15u, (q >> 12) & 15u) - 8.0);
        b = scale * (vec4((q >> 16) & 15u, (q >> 20) & 15u, (q >> 24) & 15u, q >> 28) - 8.0);
    }
}

// Elements d .. d + 3; d is a multiple of 4.
vec4 kv_load4(uint type, KvRow row, uint d) {
    if (type == kKvF32) return AddrF32x4(row.codes).v[d / 4];
    if (type == kKvF16) {
        const uvec2 q = AddrU32x2(row.codes).v[d / 4];
        return vec4(unpackHalf2x16(q.x), unpackHalf2x16(q.y));
    }
    const float scale = float(AddrF16(row.scales).v[d / 32]);
    if (type == kKvQ8_0) {
        const uint q = AddrU32(row.codes).v[d / 4];
        return scale * vec4(int(q << 24) >> 24, int(q << 16) >> 24, int(q << 8) >> 24, int(q) >> 24);
    }
    const uint q = uint(AddrU16(row.codes).v[d / 4]);
    return scale * (vec4(q & 15u, (q >> 4) & 15u, (q >> 8) & 15u, q >> 12) - 8.0);
}
