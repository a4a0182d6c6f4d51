// Conversions between binary32 and the 16-bit formats, exact and bit-reproducible (no flush of subnormals).
#pragma once

#include <bit>
#include <cstdint>

namespace vkinfer {

/// IEEE binary16 bits -> float, exact, subnormals included.
float half_to_float(uint16_t bits);

/// float -> IEEE binary16 bits, round to nearest even, overflow to infinity, NaN made quiet.
uint16_t float_to_half(float value);

/// bfloat16 bits -> float, exact.
inline float bfloat16_to_float(uint16_t bits) {
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

/// float -> bfloat16 bits, round to nearest even, NaN made quiet.
uint16_t float_to_bfloat16(float value);

} // namespace vkinfer
