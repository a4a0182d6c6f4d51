// Q1_0: 128 signs and one scale.
#include "format/types/block.h"

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block);
    for (int i = 0; i < 128; ++i) values[i] = ((block[2 + i / 8] >> (i % 8)) & 1) != 0 ? d : -d;
}

} // namespace

extern const TypeTraits q1_0;
const TypeTraits q1_0 = {TensorType::q1_0, "Q1_0", 128, 18, TypeKind::quantised, decode_row<128, 18, decode>};

} // namespace vkinfer::format::types
