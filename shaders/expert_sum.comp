#version 460
// y[t] = residual[t] + sum_j w_j d[t * n_used + j] (+ gate * shared[t])    all f32, rows of y_stride; j in order, so that
// the sum is always the same. d: what the experts' down projections left per slot. With writes_normed one workgroup takes a
// whole row and writes also what the norm after it needs (include/normed.glsl): the first part is the sum, the others zero.
#include "common.glsl"
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "expert_sum.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_CHOICES, scalar) readonly restrict buffer Choices { uvec2 choices[]; };
layout(binding = BIND_D, scalar) readonly restrict buffer D { vec4 d[]; };
layout(binding = BIND_RESIDUAL, scalar) readonly buffer Residual { vec4 residual[]; };
layout(binding = BIND_SHARED_Y, scalar) readonly buffer SharedY { vec4 shared_y[]; };
layout(binding = BIND_Y, scalar) buffer Y { vec4 y[]; };
layout(binding = BIND_NORMED, scalar) writeonly buffer Normed { float normed[]; };

const uint n_waves = local_size / subgroup_size;
shared float wave_squares[n_waves];

vec4 sum_of(uint t, uint i) {
    const uint n = push.n_cols / 4u;
    const uint stride = n_used + has_shared_gate;
    vec4 sum = residual[t * n + i];
    for (uint j = 0; j < n_used; j++) sum += uintBitsToFloat(choices[t * stride + j].y) * d[(t * n_used + j) * n + i];
    if (has_shared_gate != 0) sum += uintBitsToFloat(choices[t * stride + n_used].y) * shared_y[t * n + i];
    return sum;
}

void main() {
    const uint t = gl_WorkGroupID.y;
    const uint n = push.n_cols / 4u;
    if (t >= counts[kCountTokens]) return;
    if (writes_normed == 0) {
        const uint i = gl_GlobalInvocationID.x;
        if (i < n) y[t * n + i] = sum_of(t, i);
        return;
    }
    float squares = 0.0;
    for (uint i = gl_LocalInvocationIndex; i < n; i += local_size) {
        const vec4 sum = sum_of(t, i);
        y[t * n + i] = sum;
        const vec4 weighted = sum * AddrF32x4(push.norm_weight).v[i];
        [[unroll]] for (uint c = 0; c < 4; c++) normed[(t * n + i) * 4u + c] = weighted[c];
        squares += dot(sum, sum);
    }
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
