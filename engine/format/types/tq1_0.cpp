// TQ1_0: 256 ternary digits, five (in the last bytes four) to a byte as a binary fraction, and one scale.
#include "format/types/block.h"

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    static constexpr uint8_t kPower[5] = {1, 3, 9, 27, 81};
    const float d = load_f16(block + 52);
    for (int i = 0; i < 256; ++i) {
        const int byte = i < 160 ? i % 32 : i < 240 ? 32 + (i - 160) % 16 : 48 + (i - 240) % 4;
        const int digit = i < 160 ? i / 32 : i < 240 ? (i - 160) / 16 : (i - 240) / 4;
        const auto fraction = static_cast<uint8_t>(block[byte] * kPower[digit]); // drops the digits before
        values[i] = d * static_cast<float>((fraction * 3 >> 8) - 1);
    }
}

} // namespace

extern const TypeTraits tq1_0;
const TypeTraits tq1_0 = {TensorType::tq1_0, "TQ1_0", 256, 54, TypeKind::quantised, decode_row<256, 54, decode>};

} // namespace vkinfer::format::types
