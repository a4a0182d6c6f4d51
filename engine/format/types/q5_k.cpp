// Q5_K: as Q4_K with a fifth bit per code in a plane of its own.
#include "format/types/block.h"
#include "format/types/k_scales.h"
#include "format/types/k_search.h"

#include <algorithm>

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block), dmin = load_f16(block + 2);
    for (int g = 0; g < 8; ++g) {
        const auto [scale, min] = unpack_k_scales(block + 4, g);
        const float step = d * static_cast<float>(scale), offset = dmin * static_cast<float>(min);
        const uint8_t* codes = block + 48 + 32 * (g / 2);
        for (int l = 0; l < 32; ++l) {
            const int low = g % 2 == 0 ? codes[l] & 15 : codes[l] >> 4;
            const int high = (block[16 + l] >> g) & 1;
            values[32 * g + l] = step * static_cast<float>(low | high << 4) - offset;
        }
    }
}

void encode(const float* values, uint8_t* block) {
    const ScaleMinBlock found = search_scale_min_block(values, 31);
    store_u16(block, found.d_bits);
    store_u16(block + 2, found.dmin_bits);
    pack_k_scales(found.scales, found.mins, block + 4);
    std::fill_n(block + 16, 32, uint8_t{0});
    for (int g = 0; g < 8; ++g) {
        const uint8_t* codes = found.codes + 32 * g;
        for (int l = 0; l < 32; ++l) {
            uint8_t& low = block[48 + 32 * (g / 2) + l];
            low = static_cast<uint8_t>(g % 2 == 0 ? codes[l] & 15 : low | (codes[l] & 15) << 4);
            block[16 + l] = static_cast<uint8_t>(block[16 + l] | (codes[l] >> 4) << g);
        }
    }
}

} // namespace

extern const TypeTraits q5_k;
const TypeTraits q5_k = {TensorType::q5_k,
                         "Q5_K",
                         256,
                         176,
                         TypeKind::quantised,
                         decode_row<256, 176, decode>,
                         encode_row<256, 176, encode>};

} // namespace vkinfer::format::types
