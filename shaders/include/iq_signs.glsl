// Signs and groups of the IQ2 and IQ3 types: 8 elements share a byte of signs.

// The sign byte of a 7-bit index: an eighth sign makes the number of minus signs even.
uint even_signs(uint index) { return (index & 127u) | (uint(bitCount(index & 127u)) & 1u) << 7; }

// value with the sign of bit j.
float with_sign(float value, uint signs, uint j) {
    return uintBitsToFloat(floatBitsToUint(value) ^ ((signs << (31 - j)) & 0x80000000u));
}

// Eight elements of an entry of the IQ2 codebooks: 2-bit codes of 8, 25, 43.
void iq2_put(uint entry, uint signs, float d, uint group, inout float w[32]) {
    [[unroll]] for (uint j = 0; j < 8; j++) {
        const uint value = (0x2b1908u >> (8 * ((entry >> (2 * j)) & 3u))) & 255u;
        w[8 * group + j] = with_sign(d * float(value), signs, j);
    }
}
