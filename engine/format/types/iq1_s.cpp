// IQ1_S: 32 vectors of eight ternary values with 11-bit codebook indices; per group of 32 a 3-bit scale and a shift of
// all values by an eighth up or down.
#include "format/types/block.h"
#include "format/types/iq_grids.h"
#include "format/types/iq_tables.h"

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block);
    for (int g = 0; g < 8; ++g) {
        const uint32_t word = load_u16(block + 34 + 2 * g);
        const float step = d * static_cast<float>(2 * ((word >> 12) & 7) + 1);
        const float shift = (word & 0x8000) != 0 ? -0.125f : 0.125f;
        for (int e = 0; e < 4; ++e) {
            const uint32_t index = block[2 + 4 * g + e] | ((word >> (3 * e)) & 7) << 8;
            for (int j = 0; j < 8; ++j) *values++ = step * (iq1_value(kIq1sWords[index], j) + shift);
        }
    }
}

} // namespace

extern const TypeTraits iq1_s;
const TypeTraits iq1_s = {TensorType::iq1_s,           "IQ1_S", 256,      50, TypeKind::quantised,
                          decode_row<256, 50, decode>, nullptr, iq1_table};

} // namespace vkinfer::format::types
