#version 460
// y = silu(gate) * up    all (n_tokens, stride) f32
#include "common.glsl"
#include "swiglu.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_GATE, scalar) readonly buffer Gate { float gate[]; };
layout(binding = BIND_UP, scalar) readonly buffer Up { float up[]; };
layout(binding = BIND_Y, scalar) buffer Y { float y[]; };

void main() {
    const uint t = gl_WorkGroupID.y;
    const uint i = gl_GlobalInvocationID.x;
    if (t >= counts[kCountTokens] || i >= push.n_cols) return;
    const float g = gate[t * push.stride + i];
    y[t * push.stride + i] = g / (1.0 + exp(-g)) * up[t * push.stride + i];
}
