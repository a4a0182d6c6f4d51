// Q3_K: 16 groups of 16 codes of 3 bits (two in qs, the third inverted in a mask), a 6-bit scale each, times d.
#include "format/types/block.h"

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block + 108);
    for (int i = 0; i < 256; ++i) {
        const int half = i / 128, j = i % 128 / 32, l = i % 32, k = i / 16;
        const bool keeps = ((block[l] >> (4 * half + j)) & 1) != 0; // a set bit means: do not subtract 4
        const int code = ((block[32 + 32 * half + l] >> (2 * j)) & 3) - (keeps ? 0 : 4);
        const int low = k < 8 ? block[96 + k] & 15 : block[96 + k - 8] >> 4;
        const int high = (block[104 + k % 4] >> (2 * (k / 4))) & 3;
        const int scale = (low | high << 4) - 32;
        values[i] = d * static_cast<float>(scale) * static_cast<float>(code);
    }
}

} // namespace

extern const TypeTraits q3_k;
const TypeTraits q3_k = {TensorType::q3_k, "Q3_K", 256, 110, TypeKind::quantised, decode_row<256, 110, decode>};

} // namespace vkinfer::format::types
