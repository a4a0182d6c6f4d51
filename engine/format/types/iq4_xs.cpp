// IQ4_XS: 8 groups of 32 codes of 4 bits into the table of IQ4_NL, with a 6-bit scale each, times d.
#include "format/types/block.h"
#include "format/types/iq4_levels.h"

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block);
    const int high = load_u16(block + 2);
    for (int g = 0; g < 8; ++g) {
        const int scale = ((block[4 + g / 2] >> (4 * (g % 2))) & 15) | ((high >> (2 * g)) & 3) << 4;
        const float step = d * static_cast<float>(scale - 32);
        for (int l = 0; l < 32; ++l) {
            values[32 * g + l] = step * static_cast<float>(kIq4Levels[nibble(block + 8 + 16 * g, l)]);
        }
    }
}

} // namespace

extern const TypeTraits iq4_xs;
const TypeTraits iq4_xs = {TensorType::iq4_xs, "IQ4_XS", 256, 136, TypeKind::quantised, decode_row<256, 136, decode>};

} // namespace vkinfer::format::types
