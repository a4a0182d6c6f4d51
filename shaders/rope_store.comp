#version 460
// One workgroup (a single subgroup) per token and head of qkv (n_tokens, row_stride) f32, heads in order Q, K, V:
//   Q: optional RMS norm, rotation, back in place.  K: the same, then into the cache.  V: into the cache.
// Quantised caches follow the reference quantisers: q8_0 d = max|x| / 127, q4_0 d = (signed largest) / -8.
#include "common.glsl"
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "kv.glsl"
#include "rope_store.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_TOKENS, scalar) readonly restrict buffer Tokens { uvec4 tokens[]; };
layout(binding = BIND_PAGES, scalar) readonly restrict buffer Pages { uint pages[]; };
layout(binding = BIND_TABLE, scalar) readonly restrict buffer Table { vec2 table[]; };
layout(binding = BIND_QKV, scalar) restrict buffer Qkv { float qkv[]; };

const uint kRopeNone = 0u;
const uint kRopeNeox = 1u; // pairs (i, i + n_rot / 2)
const uint kRopeNorm = 2u; // pairs (2i, 2i + 1)

shared float head[head_size];

void store(uint type, uint64_t pool, uint page, uint kv_head, uint slot) {
    const KvRow row = kv_row(type, pool, page, n_kv_heads, page_tokens, head_size, kv_head, slot);
    if (type == kKvF32) {
        for (uint i = gl_LocalInvocationIndex; i < head_size; i += local_size) AddrF32(row.codes).v[i] = head[i];
    } else if (type == kKvF16) {
        for (uint i = gl_LocalInvocationIndex; i < head_size / 2; i += local_size)
            AddrU32(row.codes).v[i] = packHalf2x16(vec2(head[2 * i], head[2 * i + 1]));
    } else {
        for (uint block = gl_LocalInvocationIndex; block < head_size / 32; block += local_size) {
            float largest = 0.0;
            for (uint i = 0; i < 32; i++) {
                const float v = head[block * 32 + i];
                if (abs(v) > abs(largest)) largest = v;
            }
            const float d = type == kKvQ8_0 ? abs(largest) / 127.0 : largest / -8.0;
            const float inverse = d != 0.0 ? 1.0 / d : 0.0;
            AddrF16(row.scales).v[block] = float16_t(d);
            if (type == kKvQ8_0) {
                for (uint w = 0; w < 8; w++) {
                    uint word = 0;
                    for (uint i = 0; i < 4; i++) {
                        const float scaled = head[block * 32 + 4 * w + i] * inverse;
                        word |= (uint(int(trunc(scaled + (scaled < 0.0 ? -0.5 : 0.5)))) & 255u) << (8 * i);
                    }
                    AddrU32(row.codes).v[block * 8 + w] = word;
                }
            } else {
                for (uint w = 0; w < 4; w++) {
                    uint word = 0;
                    for (uint i = 0; i < 8; i++)
                        word |= uint(min(15, int(head[block * 32 + 8 * w + i] * inverse + 8.5))) << (4 * i);
                    AddrU32(row.codes).v[block * 4 + w] = word;
                }
            }
        }
    }
}

void main() {
    const uint h = gl_WorkGroupID.x;
    const uint t = gl_WorkGroupID.y;
    if (t >= counts[kCountTokens]) return;
    const uint lane = gl_LocalInvocationIndex;
    const uint from = t * push.row_stride + h * head_size;
    const bool is_q = h < n_heads;
    const bool is_v = h >= n_heads + n_kv_heads;

    float sum = 0.0;
    for (uint i = lane; i < head_size; i += local_size) {
        const float v = qkv[from + i];
        head[i] = v;
        sum += v * v;
    }
    if (has_qk_norm != 0 && !is_v) {
        sum = subgroupAdd(sum);
        const float scale = inversesqrt(sum / float(head_size) + push.eps);
        const uint64_t weight = is_q ? push.q_norm : push.k_norm;
        for (uint i = lane; i < head_size; i += local_size) head[i] *= scale * AddrF32(weight).v[i];
    }
    barrier();
    if (rope_kind != kRopeNone && !is_v) {
        for (uint i = lane; i < n_rot / 2; i += local_size) {
            const vec2 cs = table[t * (n_rot / 2) + i];
            const uint a = rope_kind == kRopeNeox ? i : 2 * i;
            const uint b = rope_kind == kRopeNeox ? i + n_rot / 2 : 2 * i + 1;
            const float va = head[a], vb = head[b];
            head[a] = va * cs.x - vb * cs.y;
            head[b] = va * cs.y + vb * cs.x;
        }
    }
    barrier();
    if (is_q) {
        for (uint i = lane; i < head_size; i += local_size) qkv[from + i] = head[i];
        return;
    }
    const uvec4 token = tokens[t];
    const uint page = pages[token.z * max_pages + token.y / page_tokens];
    const uint slot = token.y % page_tokens;
    if (is_v) {
        store(type_v, push.v_pool, page, h - n_heads - n_kv_heads, slot);
    } else {
        store(type_k, push.k_pool, page, h - n_heads, slot);
    }
}
