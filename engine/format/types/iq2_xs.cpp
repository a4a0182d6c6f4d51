// IQ2_XS: 32 vectors of eight values, each a word of 9 bits into the codebook and 7 bits of signs; 16 scales of 4 bits.
#include "format/types/block.h"
#include "format/types/iq_grids.h"
#include "format/types/iq_tables.h"

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block);
    for (int k = 0; k < 32; ++k) {
        const uint32_t word = load_u16(block + 2 + 2 * k);
        const int scale = (block[66 + k / 4] >> (4 * (k % 4 / 2))) & 15;
        const float step = d * (0.5f + static_cast<float>(scale)) * 0.25f;
        const uint16_t entry = kIq2xsWords[word & 511];
        const uint8_t signs = even_signs(word >> 9);
        for (int j = 0; j < 8; ++j) *values++ = step * iq2_value(entry, j) * sign_of(signs, j);
    }
}

} // namespace

extern const TypeTraits iq2_xs;
const TypeTraits iq2_xs = {TensorType::iq2_xs,          "IQ2_XS", 256,         74, TypeKind::quantised,
                           decode_row<256, 74, decode>, nullptr,  iq2_xs_table};

} // namespace vkinfer::format::types
