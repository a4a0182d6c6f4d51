#version 460
// y = activation(gate, up)    gate, up: f32 in rows of `stride`, those of up from up_at on; y: (n_tokens * rows_per_count, n_cols)
#include "common.glsl"
#include "swiglu.gen.glsl"
#include "activation.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_GATE, scalar) readonly buffer Gate { float gate[]; };
layout(binding = BIND_UP, scalar) readonly buffer Up { float up[]; };
#include "y_store.glsl"

void main() {
    const uint row = gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y;
    const uint i = gl_GlobalInvocationID.x;
    if (row >= counts[kCountTokens] * rows_per_count || i >= push.n_cols) return;
    store_y(row * push.n_cols + i, gated(activation, gate[row * push.stride + i], up[row * push.stride + push.up_at + i]));
}
