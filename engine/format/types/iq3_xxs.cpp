// IQ3_XXS: 64 vectors of four values by a byte into the codebook; per group of 32 four 7-bit sign words and a 4-bit
// scale.
#include "format/types/block.h"
#include "format/types/iq_grids.h"
#include "format/types/iq_tables.h"

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block);
    for (int g = 0; g < 8; ++g) {
        const uint32_t word = load_u32(block + 66 + 4 * g);
        const float step = d * (0.5f + static_cast<float>(word >> 28)) * 0.5f;
        for (int e = 0; e < 4; ++e) {
            const uint8_t* indices = block + 2 + 8 * g + 2 * e;
            const uint8_t signs = even_signs(word >> (7 * e));
            for (int j = 0; j < 8; ++j) {
                *values++ = step * iq3_xxs_value(kIq3xxsWords[indices[j / 4]], j % 4) * sign_of(signs, j);
            }
        }
    }
}

} // namespace

extern const TypeTraits iq3_xxs;
const TypeTraits iq3_xxs = {TensorType::iq3_xxs,         "IQ3_XXS", 256,          98, TypeKind::quantised,
                            decode_row<256, 98, decode>, nullptr,   iq3_xxs_table};

} // namespace vkinfer::format::types
