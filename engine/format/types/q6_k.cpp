// Q6_K: 16 groups of 16 codes of 6 bits around 32 (four in ql, two in qh), a signed byte as scale each, times d.
#include "format/types/block.h"

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block + 208);
    for (int i = 0; i < 256; ++i) {
        const int half = i / 128, j = i % 128 / 32, l = i % 32;
        const uint8_t pair = block[64 * half + 32 * (j % 2) + l];
        const int low = j < 2 ? pair & 15 : pair >> 4;
        const int high = (block[128 + 32 * half + l] >> (2 * j)) & 3;
        const float step = d * static_cast<float>(load_i8(block + 192 + i / 16));
        values[i] = step * static_cast<float>((low | high << 4) - 32);
    }
}

} // namespace

extern const TypeTraits q6_k;
const TypeTraits q6_k = {TensorType::q6_k, "Q6_K", 256, 210, TypeKind::quantised, decode_row<256, 210, decode>};

} // namespace vkinfer::format::types
