// IQ3_S: 64 vectors of four values with 9-bit codebook indices, full sign bytes and 8 scales of 4 bits.
#include "format/types/block.h"
#include "format/types/iq_grids.h"
#include "format/types/iq_tables.h"

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block);
    for (int k = 0; k < 64; ++k) {
        const int index = block[2 + k] | ((block[66 + k / 8] >> (k % 8)) & 1) << 8;
        const int scale = (block[106 + k / 16] >> (4 * (k / 8 % 2))) & 15;
        const float step = d * static_cast<float>(1 + 2 * scale);
        const uint8_t signs = block[74 + k / 2];
        for (int j = 0; j < 4; ++j)
            *values++ = step * iq3_s_value(kIq3sWords[index], j) * sign_of(signs, 4 * (k % 2) + j);
    }
}

} // namespace

extern const TypeTraits iq3_s;
const TypeTraits iq3_s = {TensorType::iq3_s, "IQ3_S",    256, 110, TypeKind::quantised, decode_row<256, 110, decode>,
                          nullptr,           iq3_s_table};

} // namespace vkinfer::format::types
