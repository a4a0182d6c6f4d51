// Eight elements of IQ1_S and IQ1_M: codebook entries of -1, 0, 1 as 2-bit codes, all moved by an eighth up or down.
#include "codebook.glsl"

void iq1_put(uint index, bool is_down, float d, uint group, inout float w[32]) {
    const uint entry = codebook(index);
    const float base = is_down ? -1.125 : -0.875;
    [[unroll]] for (uint j = 0; j < 8; j++) w[8 * group + j] = d * (float((entry >> (2 * j)) & 3u) + base);
}
