// IQ4_NL: 32 codes of 4 bits into a table of uneven levels, and one scale.
#include "format/types/block.h"
#include "format/types/iq4_levels.h"

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block);
    for (int i = 0; i < 32; ++i) values[i] = d * static_cast<float>(kIq4Levels[nibble(block + 2, i)]);
}

} // namespace

extern const TypeTraits iq4_nl;
const TypeTraits iq4_nl = {TensorType::iq4_nl, "IQ4_NL", 32, 18, TypeKind::quantised, decode_row<32, 18, decode>};

} // namespace vkinfer::format::types
