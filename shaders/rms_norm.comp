#version 460
// y[t, i] = x[t, i] * w[i] / sqrt(mean_i(x[t, i]^2) + eps)    x: (n, x_stride), w: (n_cols), f32; y: (n, y_stride), f32 or f16
// One workgroup a row; n_cols is a multiple of 4.
#include "common.glsl"
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "rms_norm.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_X, scalar) readonly restrict buffer X { vec4 x[]; };
layout(binding = BIND_Y, scalar) writeonly restrict buffer Y { vec4 y[]; };
layout(binding = BIND_Y, scalar) writeonly restrict buffer YHalves { f16vec4 y_halves[]; };

const uint n_waves = local_size / subgroup_size;
shared float sums[n_waves];

void main() {
    const uint row = gl_WorkGroupID.x;
    if (row >= counts[count_index]) return;
    const uint n = push.n_cols / 4;
    const uint from = row * (push.x_stride / 4);
    float sum = 0.0;
    for (uint i = gl_LocalInvocationIndex; i < n; i += local_size) {
        const vec4 v = x[from + i];
        sum += dot(v, v);
    }
    sum = subgroupAdd(sum);
    if (n_waves > 1u) {
        if (subgroupElect()) sums[gl_SubgroupID] = sum;
        barrier();
        sum = 0.0;
        for (uint i = 0; i < n_waves; i++) sum += sums[i];
    }
    const float scale = inversesqrt(sum / float(push.n_cols) + push.eps);
    const uint to = row * (push.y_stride / 4);
    for (uint i = gl_LocalInvocationIndex; i < n; i += local_size) {
        const vec4 value = x[from + i] * scale * AddrF32x4(push.weight).v[i];
        if (y_is_half != 0) {
            y_halves[to + i] = f16vec4(value);
        } else {
            y[to + i] = value;
        }
    }
}
