// Q4_0: 32 codes of 4 bits around 8, one scale.
#include "format/types/block.h"

#include <cmath>

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block);
    for (int i = 0; i < 32; ++i) values[i] = d * static_cast<float>(nibble(block + 2, i) - 8);
}

// The element of largest magnitude becomes code 0 exactly, so that its sign decides the sign of the scale.
void encode(const float* values, uint8_t* block) {
    float extreme = 0.0f;
    for (int i = 0; i < 32; ++i) {
        if (std::fabs(values[i]) > std::fabs(extreme)) extreme = values[i];
    }
    const float d = extreme / -8.0f;
    const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    uint8_t codes[32];
    for (int i = 0; i < 32; ++i) codes[i] = static_cast<uint8_t>(to_code(values[i] * inverse + 8.5f, 15));
    store_f16(block, d);
    store_nibbles(block + 2, codes);
}

} // namespace

extern const TypeTraits q4_0;
const TypeTraits q4_0 = {TensorType::q4_0,          "Q4_0", 32, 18, TypeKind::quantised, decode_row<32, 18, decode>,
                         encode_row<32, 18, encode>};

} // namespace vkinfer::format::types
