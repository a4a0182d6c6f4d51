// E2M1 values of 32 nibbles in the order of q4_0.glsl. Exponent and mantissa of a nibble are those of a half 2^14 times
// smaller, zero and the subnormal 0.5 included, so a pair costs a few integer operations and no table.
#ifndef VKINFER_FP4
#define VKINFER_FP4

vec2 fp4_pair(uint q, uint j) {
    const uint pair = q >> (4 * j);
    return unpackHalf2x16((pair & 0x00070007u) << 9 | (pair & 0x00080008u) << 12) * 16384.0;
}
#endif
