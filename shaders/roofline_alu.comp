#version 460
// What plain arithmetic gives at most: sixteen independent chains a lane. f32: a multiplication and an addition a step; dot:
// a packed product of four int8 pairs, added up. The result is kept alive by a store that never happens.
#include "common.glsl"
#include "roofline_alu.gen.glsl"
#ifdef KIND_DOT
#extension GL_EXT_integer_dot_product : require
#endif

layout(local_size_x_id = 0) in;

const uint kChains = 16u;

void main() {
#ifdef KIND_DOT
    int acc[kChains];
    const int factor = int(push.factor);
    [[unroll]] for (uint i = 0; i < kChains; i++) acc[i] = int(gl_LocalInvocationID.x * kChains + i);
    [[dont_unroll]] for (uint r = 0; r < push.n_rounds; r++) {
        [[unroll]] for (uint k = 0; k < 8u; k++) {
            [[unroll]] for (uint i = 0; i < kChains; i++) acc[i] += dotPacked4x8EXT(acc[i], factor);
        }
    }
    int sum = 0;
    [[unroll]] for (uint i = 0; i < kChains; i++) sum ^= acc[i];
    if (sum == 0x5a17c0de) AddrU32(push.target).v[0] = uint(sum);
#else
    float acc[kChains];
    const float factor = uintBitsToFloat(push.factor);
    [[unroll]] for (uint i = 0; i < kChains; i++) acc[i] = float(gl_LocalInvocationID.x * kChains + i);
    [[dont_unroll]] for (uint r = 0; r < push.n_rounds; r++) {
        [[unroll]] for (uint k = 0; k < 8u; k++) {
            [[unroll]] for (uint i = 0; i < kChains; i++) acc[i] = acc[i] * factor + factor;
        }
    }
    float sum = 0.0;
    [[unroll]] for (uint i = 0; i < kChains; i++) sum += acc[i];
    if (sum == -1.0) AddrF32(push.target).v[0] = sum;
#endif
}
