#version 460
// What memory gives at most: every workgroup reads a stretch of its own, a lane 16 bytes at a time, and with `copies` writes
// it elsewhere; otherwise the sum is kept alive by a store that never happens.
#include "common.glsl"
#include "roofline_memory.gen.glsl"

layout(local_size_x_id = 0) in;

void main() {
    const uint begin = gl_WorkGroupID.x * push.vectors_per_group + gl_LocalInvocationID.x;
    const uint end = (gl_WorkGroupID.x + 1u) * push.vectors_per_group;
    AddrU32x4 source = AddrU32x4(push.source);
    AddrU32x4 target = AddrU32x4(push.target);
    uvec4 sum = uvec4(0u);
    for (uint i = begin; i < end; i += 8u * local_size) { // vectors_per_group is a multiple of the step
        uvec4 v[8];
        [[unroll]] for (uint j = 0; j < 8u; j++) v[j] = source.v[i + j * local_size];
        [[unroll]] for (uint j = 0; j < 8u; j++) {
            if (copies != 0) {
                target.v[i + j * local_size] = v[j];
            } else {
                sum ^= v[j];
            }
        }
    }
    if (copies == 0 && sum == uvec4(0x5a17c0deu)) target.v[0] = sum;
}
