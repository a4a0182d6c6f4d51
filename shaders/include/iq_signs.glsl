// Eight elements of the IQ2 and IQ3 types: value bytes of a codebook and a byte of signs -> signed bytes.
#ifndef VKINFER_IQ_SIGNS
#define VKINFER_IQ_SIGNS

#include "codebook.glsl"

// The sign byte of a 7-bit index: an eighth sign makes the number of minus signs even.
uint even_signs(uint index) { return (index & 127u) | (uint(bitCount(index & 127u)) & 1u) << 7; }

// -x where the mask has 1, for four bytes at once: no value is 0, so nothing is carried from byte to byte.
uint negate_bytes(uint x, uint mask) { return (x ^ ((mask << 8) - mask)) + mask; }

void put_signed(uvec2 values, uint signs, uint group, inout uint c[8]) {
    const uint s = signs & 255u;
    const uint twice = s | s << 4;
    const uint spread = twice | twice << 15; // bits 0, 4, 1, 5 at 0, 8, 16, 24, and bits 2, 6, 3, 7 two above
    c[2 * group] = negate_bytes(values.x, spread & 0x01010101u);
    c[2 * group + 1] = negate_bytes(values.y, (spread >> 2) & 0x01010101u);
}

// The entries of elements 0 to 3 and 4 to 7, each with gaps for the other.
uvec2 join_entries(uvec2 first, uvec2 second) { return first | second << 8; }
#endif
