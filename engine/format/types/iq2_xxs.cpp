// IQ2_XXS: 8 groups of 32; a group is four codebook entries of eight values with four 7-bit sign words and a 4-bit
// scale.
#include "format/types/block.h"
#include "format/types/iq_grids.h"
#include "format/types/iq_tables.h"

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block);
    for (int g = 0; g < 8; ++g) {
        const uint8_t* group = block + 2 + 8 * g;
        const uint32_t word = load_u32(group + 4);
        const float step = d * (0.5f + static_cast<float>(word >> 28)) * 0.25f;
        for (int e = 0; e < 4; ++e) {
            const uint16_t entry = kIq2xxsWords[group[e]];
            const uint8_t signs = even_signs(word >> (7 * e));
            for (int j = 0; j < 8; ++j) *values++ = step * iq2_value(entry, j) * sign_of(signs, j);
        }
    }
}

} // namespace

extern const TypeTraits iq2_xxs;
const TypeTraits iq2_xxs = {TensorType::iq2_xxs,         "IQ2_XXS", 256,          66, TypeKind::quantised,
                            decode_row<256, 66, decode>, nullptr,   iq2_xxs_table};

} // namespace vkinfer::format::types
