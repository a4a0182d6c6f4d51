// How the writers of the K-quants choose scales: they look for the smallest squared error, first per group over a few
// widths around the full range with a least-squares fit each, then jointly with the scales rounded as they are stored.
#pragma once

#include <cstdint>

namespace vkinfer::format::types {

/// x ~ scale * q - min with q = 0 ... max_code and min >= 0.
struct ScaleMinFit {
    float scale = 0.0f;
    float min = 0.0f;
};

/// The fit for 32 values.
ScaleMinFit fit_scale_and_min(const float* values, int max_code);

/// The scale for 16 values in x ~ scale * q with q = -(limit) ... limit - 1; it may be negative.
float fit_scale(const float* values, int limit);

/// A super-block of 8 groups of 32 values in x ~ d * scale * q - dmin * min, as Q4_K (max_code 15) and Q5_K (31) hold
/// it.
struct ScaleMinBlock {
    uint16_t d_bits = 0, dmin_bits = 0; ///< binary16
    uint8_t scales[8] = {};             ///< 0 ... 63
    uint8_t mins[8] = {};               ///< 0 ... 63
    uint8_t codes[256] = {};
};

ScaleMinBlock search_scale_min_block(const float* values, int max_code);

} // namespace vkinfer::format::types
