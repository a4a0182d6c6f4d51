// Q4_K: 8 groups of 32 codes of 4 bits; scale and minimum of a group are 6 bits each, times d and dmin.
#include "format/types/block.h"
#include "format/types/k_scales.h"

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block), dmin = load_f16(block + 2);
    for (int g = 0; g < 8; ++g) {
        const auto [scale, min] = unpack_k_scales(block + 4, g);
        const float step = d * static_cast<float>(scale), offset = dmin * static_cast<float>(min);
        const uint8_t* codes = block + 16 + 32 * (g / 2);
        for (int l = 0; l < 32; ++l) {
            values[32 * g + l] = step * static_cast<float>(g % 2 == 0 ? codes[l] & 15 : codes[l] >> 4) - offset;
        }
    }
}

} // namespace

extern const TypeTraits q4_k;
const TypeTraits q4_k = {TensorType::q4_k, "Q4_K", 256, 144, TypeKind::quantised, decode_row<256, 144, decode>};

} // namespace vkinfer::format::types
