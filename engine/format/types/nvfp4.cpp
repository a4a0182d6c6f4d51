// NVFP4: 64 floats of 4 bits (E2M1) in four groups of 16, each with an 8-bit float (UE4M3) as scale. A checkpoint may
// have one more factor outside of the blocks, the tensor `<name>.scale`; it is applied to the output of the product.
#include "format/types/block.h"
#include "format/types/fp4.h"

namespace vkinfer::format::types {

namespace {

/// Unsigned 8-bit float with 4 exponent and 3 mantissa bits; bit 7 is not looked at, 0x7F (a NaN elsewhere) is 0.
float decode_ue4m3(uint8_t bits) {
    const int exponent = (bits >> 3) & 15, mantissa = bits & 7;
    if ((bits & 0x7f) == 0x7f) return 0.0f;
    if (exponent == 0) return static_cast<float>(mantissa) * 0x1p-9f;
    return std::bit_cast<float>(static_cast<uint32_t>(exponent - 7 + 127) << 23 | static_cast<uint32_t>(mantissa)
                                                                                      << 20);
}

void decode(const uint8_t* block, float* values) {
    for (int group = 0; group < 4; ++group) {
        const float half_scale = decode_ue4m3(block[group]) * 0.5f; // the table holds doubled values
        const uint8_t* codes = block + 4 + 8 * group;
        for (int j = 0; j < 8; ++j) {
            values[16 * group + j] = half_scale * static_cast<float>(kFp4Doubled[codes[j] & 15]);
            values[16 * group + j + 8] = half_scale * static_cast<float>(kFp4Doubled[codes[j] >> 4]);
        }
    }
}

} // namespace

extern const TypeTraits nvfp4;
const TypeTraits nvfp4 = {TensorType::nvfp4,          "NVFP4", 64,      36,  TypeKind::quantised,
                          decode_row<64, 36, decode>, nullptr, nullptr, true};

} // namespace vkinfer::format::types
