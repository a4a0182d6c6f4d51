#version 460
// y[r, :] = decoded row r of a repacked weight; the GPU side of the bit-exactness tests.
#include "common.glsl"
#include "dequantize.gen.glsl"
#include "weight.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_Y, scalar) writeonly restrict buffer Y { float y[]; };

void main() {
    const uint row = gl_WorkGroupID.y;
    const uint block = gl_GlobalInvocationID.x;
    if (block >= push.n_blocks) return;
    float w[32];
    weight_decode(push.codes, push.scales, uint64_t(row / kStripRows) * push.n_blocks + block, row % kStripRows, w);
    const uint to = (row * push.n_blocks + block) * kBlock;
    [[unroll]] for (uint i = 0; i < 32; i++) y[to + i] = w[i];
}
