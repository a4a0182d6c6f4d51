// Eight elements of IQ1_S and IQ1_M: codebook entries of -1, 0, 1 as codes 0, 1, 2; all are moved by an eighth up or down.
#ifndef VKINFER_IQ1
#define VKINFER_IQ1

#include "codebook.glsl"

void iq1_put(uint index, uint group, inout uint c[8]) {
    const uint entry = codebook1(index);
    c[2 * group] = entry & 0x0f0f0f0fu;
    c[2 * group + 1] = (entry >> 4) & 0x0f0f0f0fu;
}
float iq1_offset(bool is_down) { return is_down ? -1.125 : -0.875; }
#endif
