// Q4_1: 32 codes of 4 bits, one scale, one minimum.
#include "format/types/block.h"

#include <algorithm>

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block), m = load_f16(block + 2);
    for (int i = 0; i < 32; ++i) values[i] = d * static_cast<float>(nibble(block + 4, i)) + m;
}

void encode(const float* values, uint8_t* block) {
    const auto [low, high] = std::minmax_element(values, values + 32);
    const float m = *low;
    const float d = (*high - m) / 15.0f;
    const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    uint8_t codes[32];
    for (int i = 0; i < 32; ++i) {
        codes[i] = static_cast<uint8_t>(to_code((values[i] - m) * inverse + 0.5f, 15));
    }
    store_f16(block, d);
    store_f16(block + 2, m);
    store_nibbles(block + 4, codes);
}

} // namespace

extern const TypeTraits q4_1;
const TypeTraits q4_1 = {TensorType::q4_1,          "Q4_1", 32, 20, TypeKind::quantised, decode_row<32, 20, decode>,
                         encode_row<32, 20, encode>};

} // namespace vkinfer::format::types
