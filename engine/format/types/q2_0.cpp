// Q2_0: 64 codes of 2 bits for the levels -1, 0, 1 and 2, and one scale.
#include "format/types/block.h"

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block);
    for (int i = 0; i < 64; ++i) {
        values[i] = d * static_cast<float>(((block[2 + i / 4] >> (2 * (i % 4))) & 3) - 1);
    }
}

} // namespace

extern const TypeTraits q2_0;
const TypeTraits q2_0 = {TensorType::q2_0, "Q2_0", 64, 18, TypeKind::quantised, decode_row<64, 18, decode>};

} // namespace vkinfer::format::types
