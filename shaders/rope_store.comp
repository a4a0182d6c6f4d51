#version 460
// One workgroup (a single subgroup) per token and head of qkv (n_tokens, row_stride) f32, heads in order Q, K, V:
//   Q: optional RMS norm, rotation (and mixing, mix_heads), back in place.  K: the same, then into the cache.  V (none if latent): into the cache.
#include "common.glsl"
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_basic : require
#include "kv.glsl"
#include "rope_store.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_TOKENS, scalar) readonly restrict buffer Tokens { uvec4 tokens[]; };
layout(binding = BIND_PAGES, scalar) readonly restrict buffer Pages { uint pages[]; };
layout(binding = BIND_TABLE, scalar) readonly restrict buffer Table { vec2 table[]; };
layout(binding = BIND_QKV, scalar) restrict buffer Qkv { float qkv[]; };

const uint n_held = head_size > value_size ? head_size : value_size;
#include "rope.glsl"
#include "kv_store.glsl"

void main() {
    const uint h = gl_WorkGroupID.x;
    const uint t = gl_WorkGroupID.y;
    if (t >= counts[kCountTokens]) return;
    const bool is_q = h < n_heads;
    const uint keys_end = n_heads + n_kv_heads;
    const bool is_v = h >= keys_end;
    const uint from = t * push.row_stride + min(h, keys_end) * head_size + (max(h, keys_end) - keys_end) * value_size;
    take_head(from, 0, is_v ? value_size : head_size, is_q ? push.q_norm : push.k_norm, push.eps, !is_v);
    barrier();
    if (!is_v) rotate_head(0, t);
    barrier();
    if (!is_v) mix_heads(head_size);
    if (is_q) {
        for (uint i = gl_LocalInvocationIndex; i < head_size; i += local_size) qkv[from + i] = head[i];
        return;
    }
    const uvec4 token = tokens[t];
    const uint page = pages[token.z * max_pages + token.y / page_tokens];
    const uint slot = token.y % page_tokens;
    if (is_v) {
        store(type_v, true, push.v_pool, page, h - keys_end, slot, 0, value_size);
    } else {
        store(type_k, false, push.k_pool, page, h - n_heads, slot, 0, head_size);
    }
}
