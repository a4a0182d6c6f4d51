#version 460
// table[t, i] = magnitude * (cos, sin)(position[t] * f_i)    table: (n_tokens, n_pairs) vec2
// Frequencies come as turns per token in 64-bit fixed point. position * f wraps at whole turns by itself, so the fraction
// of a turn is exact at any position; f32 products would be off by 0.06 at a million, and fma is not fused everywhere.
// The first workgroup sets the counters of split attention (include/attention_combine.glsl) to zero.
#include "common.glsl"
#include "rope_table.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_TOKENS, scalar) readonly restrict buffer Tokens { uvec4 tokens[]; };
layout(binding = BIND_TABLE, scalar) writeonly restrict buffer Table { vec2 table[]; };
layout(binding = BIND_ARRIVALS, scalar) writeonly buffer Arrivals { uint arrivals[]; };
layout(buffer_reference, scalar, buffer_reference_align = 8) readonly buffer Frequencies { uint64_t f[]; };

void main() {
    const uint t = gl_WorkGroupID.y;
    const uint i = gl_GlobalInvocationID.x;
    if (gl_WorkGroupID.x == 0 && t == 0)
        for (uint k = gl_LocalInvocationIndex; k < push.n_arrivals; k += local_size) arrivals[k] = 0;
    if (t >= counts[kCountTokens] || i >= push.n_pairs) return;
    const uint64_t turns = uint64_t(tokens[t].y) * Frequencies(push.frequencies).f[i];
    const float angle = float(int(uint(turns >> 32))) * (6.283185307179586 / 4294967296.0); // -pi .. pi
    table[t * push.n_pairs + i] = push.magnitude * vec2(cos(angle), sin(angle));
}
