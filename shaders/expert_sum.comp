#version 460
// y[t] = residual[t] + sum_j w_j d[t * n_used + j] (+ gate * shared[t])    all f32, rows of y_stride; j in order, so that
// the sum is always the same. d: what the experts' down projections left per slot.
#include "common.glsl"
#include "expert_sum.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_CHOICES, scalar) readonly restrict buffer Choices { uvec2 choices[]; };
layout(binding = BIND_D, scalar) readonly restrict buffer D { vec4 d[]; };
layout(binding = BIND_RESIDUAL, scalar) readonly buffer Residual { vec4 residual[]; };
layout(binding = BIND_SHARED_Y, scalar) readonly buffer SharedY { vec4 shared_y[]; };
layout(binding = BIND_Y, scalar) buffer Y { vec4 y[]; };

void main() {
    const uint t = gl_WorkGroupID.y;
    const uint i = gl_GlobalInvocationID.x;
    const uint n = push.n_cols / 4u;
    if (t >= counts[kCountTokens] || i >= n) return;
    const uint stride = n_used + has_shared_gate;
    vec4 sum = residual[t * n + i];
    for (uint j = 0; j < n_used; j++) sum += uintBitsToFloat(choices[t * stride + j].y) * d[(t * n_used + j) * n + i];
    if (has_shared_gate != 0) sum += uintBitsToFloat(choices[t * stride + n_used].y) * shared_y[t * n + i];
    y[t * n + i] = sum;
}
