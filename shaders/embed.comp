#version 460
// y[t, :] = E[token[t], :]    E: (n_vocab, n_blocks * 32) any weight type, y: (n_tokens, row_stride) f32
// One workgroup a token; an invocation decodes whole blocks. With writes_normed also what the first norm needs
// (include/normed.glsl): the sum of squares is in the first part, the others are zero.
#include "common.glsl"
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "embed.gen.glsl"
#include "weight.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_TOKENS, scalar) readonly restrict buffer Tokens { uvec4 tokens[]; };
layout(binding = BIND_Y, scalar) writeonly restrict buffer Y { float y[]; };
layout(binding = BIND_NORMED, scalar) writeonly restrict buffer Normed { float normed[]; };

const uint n_waves = local_size / subgroup_size;
shared float wave_squares[n_waves];

void main() {
    const uint t = gl_WorkGroupID.x;
    if (t >= counts[kCountTokens]) return;
    const uint token = min(tokens[t].x, push.n_rows - 1);
    const uint64_t first_tile = uint64_t(token / kStripRows) * push.n_blocks;
    float squares = 0.0;
    for (uint block = gl_LocalInvocationIndex; block < push.n_blocks; block += local_size) {
        float w[32];
        weight_decode(push.codes, push.scales, first_tile + block, token % kStripRows, w);
        const uint to = t * push.row_stride + block * kBlock;
        [[unroll]] for (uint i = 0; i < 32; i++) y[to + i] = w[i];
        if (writes_normed != 0) {
            const uint n_cols = push.n_blocks * kBlock;
            [[unroll]] for (uint i = 0; i < 32; i++) {
                normed[t * n_cols + block * kBlock + i] = w[i] * AddrF32(push.norm_weight).v[block * kBlock + i];
                squares = fma(w[i], w[i], squares);
            }
        }
    }
    if (writes_normed == 0) return;
    squares = subgroupAdd(squares);
    if (n_waves > 1u) {
        if (subgroupElect()) wave_squares[gl_SubgroupID] = squares;
        barrier();
        squares = 0.0;
        for (uint i = 0; i < n_waves; i++) squares += wave_squares[i];
    }
    for (uint i = gl_LocalInvocationIndex; i < push.n_parts; i += local_size)
        normed[push.parts_at + t * push.n_parts + i] = i == 0 ? squares : 0.0;
}
