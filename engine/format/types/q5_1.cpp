// Q5_1: 32 codes of 5 bits (four bits as in Q4_1, the fifth in a word), one scale, one minimum.
#include "format/types/block.h"

#include <algorithm>

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block), m = load_f16(block + 2);
    const uint32_t high = load_u32(block + 4);
    for (int i = 0; i < 32; ++i) {
        const int code = nibble(block + 8, i) | static_cast<int>((high >> i) & 1u) << 4;
        values[i] = d * static_cast<float>(code) + m;
    }
}

void encode(const float* values, uint8_t* block) {
    const auto [lowest, highest] = std::minmax_element(values, values + 32);
    const float m = *lowest;
    const float d = (*highest - m) / 31.0f;
    const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    uint8_t low[32];
    uint32_t high = 0;
    for (int i = 0; i < 32; ++i) {
        const int code = to_code((values[i] - m) * inverse + 0.5f, 31);
        low[i] = code & 15;
        high |= static_cast<uint32_t>(code >> 4) << i;
    }
    store_f16(block, d);
    store_f16(block + 2, m);
    store_u32(block + 4, high);
    store_nibbles(block + 8, low);
}

} // namespace

extern const TypeTraits q5_1;
const TypeTraits q5_1 = {TensorType::q5_1,          "Q5_1", 32, 24, TypeKind::quantised, decode_row<32, 24, decode>,
                         encode_row<32, 24, encode>};

} // namespace vkinfer::format::types
