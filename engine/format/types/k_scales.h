// The 12 bytes in which Q4_K and Q5_K keep eight scales and eight minimums of 6 bits.
#pragma once

#include <cstdint>

namespace vkinfer::format::types {

struct ScaleAndMin {
    uint8_t scale; ///< 0 ... 63
    uint8_t min;   ///< 0 ... 63
};

/// Scale and minimum of group g = 0 ... 7.
inline ScaleAndMin unpack_k_scales(const uint8_t* packed, int g) {
    if (g < 4) return {static_cast<uint8_t>(packed[g] & 63), static_cast<uint8_t>(packed[g + 4] & 63)};
    return {static_cast<uint8_t>((packed[g + 4] & 15) | (packed[g - 4] >> 6) << 4),
            static_cast<uint8_t>((packed[g + 4] >> 4) | (packed[g] >> 6) << 4)};
}

/// The inverse, for all eight groups.
inline void pack_k_scales(const uint8_t (&scales)[8], const uint8_t (&mins)[8], uint8_t* packed) {
    for (int g = 0; g < 4; ++g) {
        packed[g] = static_cast<uint8_t>(scales[g] | (scales[g + 4] >> 4) << 6);
        packed[g + 4] = static_cast<uint8_t>(mins[g] | (mins[g + 4] >> 4) << 6);
        packed[g + 8] = static_cast<uint8_t>((scales[g + 4] & 15) | (mins[g + 4] & 15) << 4);
    }
}

} // namespace vkinfer::format::types
