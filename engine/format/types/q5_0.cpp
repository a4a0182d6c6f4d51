// Q5_0: 32 codes of 5 bits around 16 (four bits as in Q4_0, the fifth in a word), one scale.
#include "format/types/block.h"

#include <cmath>

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block);
    const uint32_t high = load_u32(block + 2);
    for (int i = 0; i < 32; ++i) {
        const int code = nibble(block + 6, i) | static_cast<int>((high >> i) & 1u) << 4;
        values[i] = d * static_cast<float>(code - 16);
    }
}

void encode(const float* values, uint8_t* block) {
    float extreme = 0.0f;
    for (int i = 0; i < 32; ++i) {
        if (std::fabs(values[i]) > std::fabs(extreme)) extreme = values[i];
    }
    const float d = extreme / -16.0f;
    const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    uint8_t low[32];
    uint32_t high = 0;
    for (int i = 0; i < 32; ++i) {
        const int code = to_code(values[i] * inverse + 16.5f, 31);
        low[i] = code & 15;
        high |= static_cast<uint32_t>(code >> 4) << i;
    }
    store_f16(block, d);
    store_u32(block + 2, high);
    store_nibbles(block + 6, low);
}

} // namespace

extern const TypeTraits q5_0;
const TypeTraits q5_0 = {TensorType::q5_0,          "Q5_0", 32, 22, TypeKind::quantised, decode_row<32, 22, decode>,
                         encode_row<32, 22, encode>};

} // namespace vkinfer::format::types
