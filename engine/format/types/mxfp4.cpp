// MXFP4: 32 floats of 4 bits (E2M1) that share a power of two (E8M0).
#include "format/types/block.h"
#include "format/types/fp4.h"

#include <algorithm>
#include <cmath>

namespace vkinfer::format::types {

namespace {

/// Half of the shared factor, since the table holds doubled values: 2^(e - 128), subnormal for e < 2.
float half_factor(uint8_t e) {
    return e < 2 ? std::bit_cast<float>(uint32_t{0x00200000} << e) : std::bit_cast<float>((uint32_t{e} - 1) << 23);
}

void decode(const uint8_t* block, float* values) {
    const float factor = half_factor(block[0]);
    for (int i = 0; i < 32; ++i) values[i] = factor * static_cast<float>(kFp4Doubled[nibble(block + 1, i)]);
}

void encode(const float* values, uint8_t* block) {
    float largest = 0.0f;
    for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(values[i]));
    const int exponent = largest > 0.0f ? static_cast<int>(std::floor(std::log2(largest))) - 2 + 127 : 0;
    const auto e = static_cast<uint8_t>(std::clamp(exponent, 0, 254));
    const float factor = half_factor(e);
    uint8_t codes[32];
    for (int i = 0; i < 32; ++i) {
        int best = 0;
        float smallest = INFINITY;
        for (int code = 0; code < 16; ++code) { // nearest value, the first one on ties
            const float error = std::fabs(factor * static_cast<float>(kFp4Doubled[code]) - values[i]);
            if (error < smallest) {
                smallest = error;
                best = code;
            }
        }
        codes[i] = static_cast<uint8_t>(best);
    }
    block[0] = e;
    store_nibbles(block + 1, codes);
}

} // namespace

extern const TypeTraits mxfp4;
const TypeTraits mxfp4 = {TensorType::mxfp4,         "MXFP4", 32, 17, TypeKind::quantised, decode_row<32, 17, decode>,
                          encode_row<32, 17, encode>};

} // namespace vkinfer::format::types
