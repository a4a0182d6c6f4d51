// IQ2_S: 32 vectors of eight values with 10-bit codebook indices and full sign bytes; 16 scales of 4 bits.
#include "format/types/block.h"
#include "format/types/iq_grids.h"
#include "format/types/iq_tables.h"

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block);
    for (int k = 0; k < 32; ++k) {
        const int index = block[2 + k] | ((block[66 + k / 4] >> (2 * (k % 4))) & 3) << 8;
        const int scale = (block[74 + k / 4] >> (4 * (k % 4 / 2))) & 15;
        const float step = d * (0.5f + static_cast<float>(scale)) * 0.25f;
        const uint16_t entry = kIq2sWords[index];
        for (int j = 0; j < 8; ++j) *values++ = step * iq2_value(entry, j) * sign_of(block[34 + k], j);
    }
}

} // namespace

extern const TypeTraits iq2_s;
const TypeTraits iq2_s = {TensorType::iq2_s,           "IQ2_S", 256,        82, TypeKind::quantised,
                          decode_row<256, 82, decode>, nullptr, iq2_s_table};

} // namespace vkinfer::format::types
