#ifndef VKINFER_IQ4
#define VKINFER_IQ4

#include "iq4_level.glsl"
void iq4_levels(uvec4 q, out uint c[8]) {
    uint n[8];
    unpack_4bit(q, n);
    [[unroll]] for (uint i = 0; i < 8; i++) {
        c[i] = 0;
        [[unroll]] for (uint b = 0; b < 4; b++) c[i] |= iq4_level((n[i] >> (8 * b)) & 15u) << (8 * b);
    }
}
#endif
