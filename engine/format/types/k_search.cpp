#include "format/types/k_search.h"

#include "base/half.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace vkinfer::format::types {

namespace {

/// Four floats at once: a vector of the compiler, so that it needs no instruction set by name.
using Lanes = float __attribute__((vector_size(16)));

Lanes load(const float* at) {
    Lanes lanes;
    std::memcpy(&lanes, at, sizeof lanes);
    return lanes;
}
Lanes splat(float value) {
    return Lanes{} + value;
}
/// To the nearest whole number, for magnitudes below 2^22: the sum has no bits left for a fraction.
Lanes round(Lanes x) {
    constexpr float kNoFraction = 0x1.8p23f;
    return (x + kNoFraction) - kNoFraction;
}
Lanes clamp(Lanes x, float low, float high) {
    x = x < splat(low) ? splat(low) : x;
    return x > splat(high) ? splat(high) : x;
}
float sum(Lanes x) {
    return (x[0] + x[1]) + (x[2] + x[3]);
}

/// Sums over a group of n values and their codes, from which the least-squares fits follow.
struct Sums {
    float q = 0, qq = 0, x = 0, xq = 0;
};

template<int n>
Sums sums_of(const float* values, float inverse_scale, float offset, float low, float high) {
    Lanes q_sum = {}, qq_sum = {}, x_sum = {}, xq_sum = {};
    for (int i = 0; i < n; i += 4) {
        const Lanes x = load(values + i);
        const Lanes q = clamp(round((x + offset) * inverse_scale), low, high);
        q_sum += q;
        qq_sum += q * q;
        x_sum += x;
        xq_sum += x * q;
    }
    return {sum(q_sum), sum(qq_sum), sum(x_sum), sum(xq_sum)};
}

/// Squared error of a group with the best codes for scale and min.
template<int n>
float error_of(const float* values, float scale, float min, float low, float high) {
    const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
    Lanes error = {};
    for (int i = 0; i < n; i += 4) {
        const Lanes x = load(values + i);
        const Lanes q = clamp(round((x + min) * inverse), low, high);
        const Lanes difference = x - (q * scale - min);
        error += difference * difference;
    }
    return sum(error);
}

template<int n>
void codes_of(const float* values, float scale, float min, float low, float high, float* codes) {
    const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
    for (int i = 0; i < n; i += 4) {
        const Lanes q = clamp(round((load(values + i) + min) * inverse), low, high);
        std::memcpy(codes + i, &q, sizeof q);
    }
}

ScaleMinFit least_squares(const Sums& s, float n) {
    const float determinant = n * s.qq - s.q * s.q;
    ScaleMinFit fit;
    if (determinant > 0.0f) {
        fit.scale = (n * s.xq - s.x * s.q) / determinant;
        fit.min = (s.q * s.xq - s.qq * s.x) / determinant;
    }
    if (!(fit.min > 0.0f)) {
        fit.min = 0.0f;
        fit.scale = s.qq > 0.0f ? s.xq / s.qq : 0.0f;
    }
    return fit;
}

/// Codes of a stored scale: nearest whole number in 0 ... 63.
uint8_t code_of(float value, float unit) {
    return unit > 0.0f ? static_cast<uint8_t>(std::clamp(std::round(value / unit), 0.0f, 63.0f)) : uint8_t{0};
}

/// Chooses the stored scale and min of each group around the wished ones, and returns the error of the block.
float choose_scale_codes(const float* values, int max_code, const std::array<ScaleMinFit, 8>& wished,
                         ScaleMinBlock& block) {
    const float d = half_to_float(block.d_bits), dmin = half_to_float(block.dmin_bits);
    const auto high = static_cast<float>(max_code);
    float total = 0.0f;
    for (int g = 0; g < 8; ++g) {
        const int scale0 = code_of(wished[g].scale, d), min0 = code_of(wished[g].min, dmin);
        float best = INFINITY;
        for (int scale = std::max(0, scale0 - 1); scale <= std::min(63, scale0 + 1); ++scale) {
            for (int min = std::max(0, min0 - 1); min <= std::min(63, min0 + 1); ++min) {
                const float error = error_of<32>(values + 32 * g, d * static_cast<float>(scale),
                                                 dmin * static_cast<float>(min), 0.0f, high);
                if (error < best) {
                    best = error;
                    block.scales[g] = static_cast<uint8_t>(scale);
                    block.mins[g] = static_cast<uint8_t>(min);
                }
            }
        }
        total += best;
    }
    return total;
}

/// d and dmin that fit best to the chosen scales, mins and their codes: least squares over the block.
void refit_units(const float* values, int max_code, ScaleMinBlock& block) {
    const float d = half_to_float(block.d_bits), dmin = half_to_float(block.dmin_bits);
    double aa = 0, ab = 0, bb = 0, xa = 0, xb = 0; // x ~ d a - dmin b
    for (int g = 0; g < 8; ++g) {
        const float scale = d * static_cast<float>(block.scales[g]), min = dmin * static_cast<float>(block.mins[g]);
        const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
        const Sums s = sums_of<32>(values + 32 * g, inverse, min, 0.0f, static_cast<float>(max_code));
        const double sc = block.scales[g], mn = block.mins[g];
        aa += sc * sc * s.qq;
        ab += sc * mn * s.q;
        bb += 32.0 * mn * mn;
        xa += sc * s.xq;
        xb += mn * s.x;
    }
    const double determinant = aa * bb - ab * ab;
    if (determinant > 1e-6 * aa * bb) {
        block.d_bits = float_to_half(static_cast<float>((xa * bb - xb * ab) / determinant));
        block.dmin_bits = float_to_half(static_cast<float>((xa * ab - xb * aa) / determinant));
    } else if (aa > 0) {
        block.d_bits = float_to_half(static_cast<float>((xa + half_to_float(block.dmin_bits) * ab) / aa));
    }
}

bool is_usable(uint16_t half_bits) {
    return half_bits < 0x7c00;
} // finite and not negative

} // namespace

ScaleMinFit fit_scale_and_min(const float* values, int max_code) {
    const auto [lowest, highest] = std::minmax_element(values, values + 32);
    const float low = std::min(*lowest, 0.0f), range = *highest - low;
    if (!(range > 0.0f)) return {0.0f, -low};
    const auto high = static_cast<float>(max_code);
    ScaleMinFit best = {range / high, -low};
    float best_error = error_of<32>(values, best.scale, best.min, 0.0f, high);
    // Scales that cut off the ends of the range, or leave some of it unused, each with its least-squares fit.
    for (float width = high - 2.0f; width <= high + 1.5f; width += 0.25f) {
        const ScaleMinFit fit = least_squares(sums_of<32>(values, width / range, -low, 0.0f, high), 32.0f);
        if (!(fit.scale > 0.0f)) continue;
        const float error = error_of<32>(values, fit.scale, fit.min, 0.0f, high);
        if (error < best_error) {
            best_error = error;
            best = fit;
        }
    }
    // Codes and fit in turn, as long as it gets better.
    for (int i = 0; i < 4; ++i) {
        const ScaleMinFit fit = least_squares(sums_of<32>(values, 1.0f / best.scale, best.min, 0.0f, high), 32.0f);
        if (!(fit.scale > 0.0f)) break;
        const float error = error_of<32>(values, fit.scale, fit.min, 0.0f, high);
        if (!(error < best_error)) break;
        best_error = error;
        best = fit;
    }
    return best;
}

float fit_scale(const float* values, int limit) {
    float extreme = 0.0f;
    for (int i = 0; i < 16; ++i) {
        if (std::fabs(values[i]) > std::fabs(extreme)) extreme = values[i];
    }
    if (extreme == 0.0f) return 0.0f;
    const auto low = static_cast<float>(-limit), high = static_cast<float>(limit - 1);
    float best = extreme / low;
    float best_error = error_of<16>(values, best, 0.0f, low, high);
    const auto attempt = [&](float scale) {
        const Sums s = sums_of<16>(values, 1.0f / scale, 0.0f, low, high);
        if (!(s.qq > 0.0f)) return false;
        const float fitted = s.xq / s.qq;
        if (fitted == 0.0f) return false;
        const float error = error_of<16>(values, fitted, 0.0f, low, high);
        if (!(error < best_error)) return false;
        best_error = error;
        best = fitted;
        return true;
    };
    // The extreme value may become the lowest code or the highest, or be cut off a little.
    for (float width = static_cast<float>(limit) - 1.5f; width <= static_cast<float>(limit) + 1.0f; width += 0.25f) {
        attempt(extreme / -width);
        attempt(extreme / (width - 1.0f));
    }
    for (int i = 0; i < 4 && attempt(best); ++i) {
    }
    return best;
}

ScaleMinBlock search_scale_min_block(const float* values, int max_code) {
    std::array<ScaleMinFit, 8> wished;
    float largest_scale = 0.0f, largest_min = 0.0f;
    for (int g = 0; g < 8; ++g) {
        wished[g] = fit_scale_and_min(values + 32 * g, max_code);
        largest_scale = std::max(largest_scale, wished[g].scale);
        largest_min = std::max(largest_min, wished[g].min);
    }
    ScaleMinBlock best;
    best.d_bits = std::min<uint16_t>(float_to_half(largest_scale / 63.0f), 0x7bff);
    best.dmin_bits = std::min<uint16_t>(float_to_half(largest_min / 63.0f), 0x7bff);
    float best_error = choose_scale_codes(values, max_code, wished, best);
    ScaleMinBlock next = best;
    for (int i = 0; i < 2; ++i) {
        refit_units(values, max_code, next);
        if (!is_usable(next.d_bits) || !is_usable(next.dmin_bits)) break;
        const float error = choose_scale_codes(values, max_code, wished, next);
        if (!(error < best_error)) break;
        best_error = error;
        best = next;
    }
    const float d = half_to_float(best.d_bits), dmin = half_to_float(best.dmin_bits);
    float codes[256];
    for (int g = 0; g < 8; ++g) {
        codes_of<32>(values + 32 * g, d * static_cast<float>(best.scales[g]), dmin * static_cast<float>(best.mins[g]),
                     0.0f, static_cast<float>(max_code), codes + 32 * g);
    }
    for (int i = 0; i < 256; ++i) best.codes[i] = static_cast<uint8_t>(codes[i]);
    return best;
}

} // namespace vkinfer::format::types
