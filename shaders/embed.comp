#version 460
// y[t, :] = E[token[t], :]    E: (n_vocab, n_blocks * 32) any weight type, y: (n_tokens, row_stride) f32
// One workgroup a token; an invocation decodes whole blocks.
#include "common.glsl"
#include "embed.gen.glsl"
#include "weight.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_TOKENS, scalar) readonly restrict buffer Tokens { uvec4 tokens[]; };
layout(binding = BIND_Y, scalar) writeonly restrict buffer Y { float y[]; };

void main() {
    const uint t = gl_WorkGroupID.x;
    if (t >= counts[kCountTokens]) return;
    const uint token = min(tokens[t].x, push.n_rows - 1);
    const uint64_t first_tile = uint64_t(token / kStripRows) * push.n_blocks;
    for (uint block = gl_LocalInvocationIndex; block < push.n_blocks; block += local_size) {
        float w[32];
        weight_decode(push.codes, push.scales, first_tile + block, token % kStripRows, w);
        const uint to = t * push.row_stride + block * kBlock;
        [[unroll]] for (uint i = 0; i < 32; i++) y[to + i] = w[i];
    }
}
