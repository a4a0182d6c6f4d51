// TQ2_0: 256 ternary digits of 2 bits and one scale.
#include "format/types/block.h"

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block + 64);
    for (int i = 0; i < 256; ++i) {
        const int code = (block[32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32))) & 3;
        values[i] = d * static_cast<float>(code - 1);
    }
}

} // namespace

extern const TypeTraits tq2_0;
const TypeTraits tq2_0 = {TensorType::tq2_0, "TQ2_0", 256, 66, TypeKind::quantised, decode_row<256, 66, decode>};

} // namespace vkinfer::format::types
