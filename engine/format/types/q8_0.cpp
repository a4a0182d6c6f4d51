// Q8_0: 32 signed bytes, one scale. Q8_1: the same with the scaled sum of the codes, for activations.
#include "format/types/block.h"

#include <algorithm>
#include <cmath>

namespace vkinfer::format::types {

namespace {

void decode_q8_0(const uint8_t* block, float* values) {
    const float d = load_f16(block);
    for (int i = 0; i < 32; ++i) values[i] = d * static_cast<float>(load_i8(block + 2 + i));
}

void decode_q8_1(const uint8_t* block, float* values) {
    const float d = load_f16(block);
    for (int i = 0; i < 32; ++i) values[i] = d * static_cast<float>(load_i8(block + 4 + i));
}

/// Writes the 32 codes and returns the scale, which is rounded only when it is stored.
float encode_codes(const float* values, uint8_t* codes) {
    float largest = 0.0f;
    for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(values[i]));
    const float d = largest / 127.0f;
    const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    for (int i = 0; i < 32; ++i) {
        const float code = std::round(values[i] * inverse); // may be anything when 1/d overflows, see to_code()
        codes[i] = static_cast<uint8_t>(static_cast<int8_t>(std::fabs(code) <= 127.0f ? code : 0.0f));
    }
    return d;
}

void encode_q8_0(const float* values, uint8_t* block) {
    store_f16(block, encode_codes(values, block + 2));
}

void encode_q8_1(const float* values, uint8_t* block) {
    const float d = encode_codes(values, block + 4);
    int sum = 0;
    for (int i = 0; i < 32; ++i) sum += load_i8(block + 4 + i);
    store_f16(block, d);
    store_f16(block + 2, d * static_cast<float>(sum));
}

} // namespace

extern const TypeTraits q8_0, q8_1;
const TypeTraits q8_0 = {TensorType::q8_0,
                         "Q8_0",
                         32,
                         34,
                         TypeKind::quantised,
                         decode_row<32, 34, decode_q8_0>,
                         encode_row<32, 34, encode_q8_0>};
const TypeTraits q8_1 = {TensorType::q8_1,
                         "Q8_1",
                         32,
                         36,
                         TypeKind::activation,
                         decode_row<32, 36, decode_q8_1>,
                         encode_row<32, 36, encode_q8_1>};

} // namespace vkinfer::format::types
