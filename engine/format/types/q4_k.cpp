// Q4_K: 8 groups of 32 codes of 4 bits; scale and minimum of a group are 6 bits each, times d and dmin.
#include "format/types/block.h"
#include "format/types/k_scales.h"
#include "format/types/k_search.h"

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

void encode(const float* values, uint8_t* block) {
    const ScaleMinBlock found = search_scale_min_block(values, 15);
    store_u16(block, found.d_bits);
    store_u16(block + 2, found.dmin_bits);
    pack_k_scales(found.scales, found.mins, block + 4);
    for (int g = 0; g < 8; g += 2) {
        const uint8_t* codes = found.codes + 32 * g;
        for (int l = 0; l < 32; ++l) block[16 + 16 * g + l] = static_cast<uint8_t>(codes[l] | codes[32 + l] << 4);
    }
}

} // namespace

extern const TypeTraits q4_k;
const TypeTraits q4_k = {TensorType::q4_k,
                         "Q4_K",
                         256,
                         144,
                         TypeKind::quantised,
                         decode_row<256, 144, decode>,
                         encode_row<256, 144, encode>};

} // namespace vkinfer::format::types
