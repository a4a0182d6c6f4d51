#version 460
// y[o, :] = x[outputs[o], :]    x: (n_tokens, x_stride), y: (n_outputs, y_stride), f32; widths are multiples of 4
#include "common.glsl"
#include "gather_rows.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_OUTPUTS, scalar) readonly restrict buffer Outputs { uint outputs[]; };
layout(binding = BIND_X, scalar) readonly restrict buffer X { vec4 x[]; };
layout(binding = BIND_Y, scalar) writeonly restrict buffer Y { vec4 y[]; };

void main() {
    const uint o = gl_WorkGroupID.x;
    if (o >= counts[kCountOutputs]) return;
    const uint from = outputs[o] * (push.x_stride / 4);
    for (uint i = gl_LocalInvocationIndex; i < push.n_cols / 4; i += local_size)
        y[o * (push.y_stride / 4) + i] = x[from + i];
}
