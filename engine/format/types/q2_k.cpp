// Q2_K: 16 groups of 16 codes of 2 bits; scale and minimum of a group are 4 bits each of a byte, times d and dmin.
#include "format/types/block.h"

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block + 80), dmin = load_f16(block + 82);
    for (int i = 0; i < 256; ++i) {
        const int half = i / 128, shift = 2 * (i % 128 / 32);
        const int code = (block[16 + 32 * half + i % 32] >> shift) & 3;
        const uint8_t group = block[i / 16];
        values[i] = d * static_cast<float>((group & 15) * code) - dmin * static_cast<float>(group >> 4);
    }
}

} // namespace

extern const TypeTraits q2_k;
const TypeTraits q2_k = {TensorType::q2_k, "Q2_K", 256, 84, TypeKind::quantised, decode_row<256, 84, decode>};

} // namespace vkinfer::format::types
