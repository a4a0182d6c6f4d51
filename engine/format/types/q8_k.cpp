// Q8_K: 256 signed bytes with a float scale and the sums of 16 codes each; for activations only.
#include "format/types/block.h"

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f32(block);
    for (int i = 0; i < 256; ++i) values[i] = d * static_cast<float>(load_i8(block + 4 + i));
}

} // namespace

extern const TypeTraits q8_k;
const TypeTraits q8_k = {TensorType::q8_k, "Q8_K", 256, 292, TypeKind::activation, decode_row<256, 292, decode>};

} // namespace vkinfer::format::types
