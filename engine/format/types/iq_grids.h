// The codebooks of the IQ types: an entry is a short vector of small values, kept as one 16-bit word of 2-bit or 4-bit
// codes. The words are data of ggml (NOTICE); they follow no formula. Kernels that want them as a table on the GPU take
// them from here.
#pragma once

#include <cstdint>

namespace vkinfer::format::types {

extern const uint16_t kIq2xxsWords[256]; ///< 8 coordinates of 2 bits: 8, 25, 43
extern const uint16_t kIq2xsWords[512];  ///< as above
extern const uint16_t kIq2sWords[1024];  ///< as above
extern const uint16_t kIq3xxsWords[256]; ///< 4 coordinates of 4 bits: 4, 12, 20, 28, 36, 44, 52, 62
extern const uint16_t kIq3sWords[512];   ///< 4 coordinates of 4 bits: 1, 3, 5, ... 15
extern const uint16_t kIq1sWords[2048];  ///< 8 coordinates of 2 bits: -1, 0, 1

/// Coordinate j = 0 ... 7 of an entry of the IQ2 codebooks.
inline float iq2_value(uint16_t word, int j) {
    static constexpr float kValues[4] = {8.0f, 25.0f, 43.0f, 0.0f};
    return kValues[(word >> (2 * j)) & 3];
}

/// Coordinate j = 0 ... 3 of an entry of the codebook of IQ3_XXS.
inline float iq3_xxs_value(uint16_t word, int j) {
    static constexpr float kValues[8] = {4.0f, 12.0f, 20.0f, 28.0f, 36.0f, 44.0f, 52.0f, 62.0f};
    return kValues[(word >> (4 * j)) & 7];
}

/// Coordinate j = 0 ... 3 of an entry of the codebook of IQ3_S.
inline float iq3_s_value(uint16_t word, int j) {
    return static_cast<float>(2 * ((word >> (4 * j)) & 7) + 1);
}

/// Coordinate j = 0 ... 7 of an entry of the codebook of IQ1_S and IQ1_M.
inline float iq1_value(uint16_t word, int j) {
    return static_cast<float>(((word >> (2 * j)) & 3) - 1);
}

/// -1 where bit j of the sign byte is set.
inline float sign_of(uint8_t signs, int j) {
    return ((signs >> j) & 1) != 0 ? -1.0f : 1.0f;
}

/// The sign byte of a 7-bit index: an eighth sign is added that makes the number of minus signs even.
inline uint8_t even_signs(uint32_t index) {
    const uint32_t bits = index & 127;
    return static_cast<uint8_t>(bits | static_cast<uint32_t>(__builtin_parity(bits)) << 7);
}

} // namespace vkinfer::format::types
