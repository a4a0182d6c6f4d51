#version 460
// table[t, i] = magnitude * (cos, sin)(position[t] * f_i)    table: (n_tokens, n_pairs) vec2
// Frequencies come as turns per token in two floats (high, low), so that the fraction of a turn stays exact in f32 at any
// position: the product's rounding error is recovered by fma, and whole turns are dropped before the angle is formed.
#include "common.glsl"
#include "rope_table.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_TOKENS, scalar) readonly restrict buffer Tokens { uvec4 tokens[]; };
layout(binding = BIND_TABLE, scalar) writeonly restrict buffer Table { vec2 table[]; };
layout(buffer_reference, scalar, buffer_reference_align = 8) readonly buffer Frequencies { vec2 f[]; };

void main() {
    const uint t = gl_WorkGroupID.y;
    const uint i = gl_GlobalInvocationID.x;
    if (t >= counts[kCountTokens] || i >= push.n_pairs) return;
    const float position = float(tokens[t].y);
    const vec2 f = Frequencies(push.frequencies).f[i];
    precise const float product = position * f.x;
    precise const float error = fma(position, f.x, -product);
    precise float turns = (product - floor(product)) + (error + position * f.y);
    turns -= round(turns);
    const float angle = turns * 6.283185307179586;
    table[t * push.n_pairs + i] = push.magnitude * vec2(cos(angle), sin(angle));
}
