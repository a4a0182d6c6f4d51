// IQ1_M: as IQ1_S with a shift per vector and a 3-bit scale per 16 values. The block has no field for d: its bits are
// the top nibbles of the four words that hold the scales.
#include "format/types/block.h"
#include "format/types/iq_grids.h"
#include "format/types/iq_tables.h"

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    uint32_t scales[4];
    uint32_t d_bits = 0;
    for (int s = 0; s < 4; ++s) {
        scales[s] = load_u16(block + 48 + 2 * s);
        d_bits |= (scales[s] >> 12) << (4 * s);
    }
    const float d = half_to_float(static_cast<uint16_t>(d_bits));
    for (int k = 0; k < 32; ++k) {
        const int high = (block[32 + k / 2] >> (4 * (k % 2))) & 15;
        const int index = block[k] | (high & 7) << 8;
        const float shift = (high & 8) != 0 ? -0.125f : 0.125f;
        const int t = k / 2;
        const float step = d * static_cast<float>(2 * ((scales[t / 4] >> (3 * (t % 4))) & 7) + 1);
        for (int j = 0; j < 8; ++j) *values++ = step * (iq1_value(kIq1sWords[index], j) + shift);
    }
}

} // namespace

extern const TypeTraits iq1_m;
const TypeTraits iq1_m = {TensorType::iq1_m,           "IQ1_M", 256,      56, TypeKind::quantised,
                          decode_row<256, 56, decode>, nullptr, iq1_table};

} // namespace vkinfer::format::types
