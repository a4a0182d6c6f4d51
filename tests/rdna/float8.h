// The 8-bit floats of gfx12: fp8 (e4m3, no infinities) and bf8 (e5m2).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace vkinfer::rdna {

enum class Float8 : uint8_t { fp8, bf8 };

template<Float8 kType>
float from_float8(uint32_t x) {
    if constexpr (kType == Float8::bf8)
        return static_cast<float>(std::bit_cast<_Float16>(static_cast<uint16_t>(x << 8)));
    const int e = static_cast<int>(x >> 3 & 15), m = static_cast<int>(x & 7);
    const float v = e == 15 && m == 7 ? NAN : e == 0 ? std::ldexp(float(m), -9) : std::ldexp(float(8 + m), e - 10);
    return x & 128 ? -v : v;
}

/// Rounded to nearest even. Beyond the largest value: NaN for fp8, infinity for bf8 (MODE.FP16_OVFL = 0).
template<Float8 kType>
uint32_t to_float8(float x) {
    constexpr int kMantissa = kType == Float8::fp8 ? 3 : 2, kLeast = kType == Float8::fp8 ? -6 : -14;
    constexpr float kLargest = kType == Float8::fp8 ? 448.0f : 57344.0f;
    constexpr uint32_t kNan = 0x7f, kOverflow = kType == Float8::fp8 ? kNan : 0x7c;
    const uint32_t sign = std::signbit(x) ? 0x80 : 0;
    if (x != x) return sign | kNan;
    const float a = std::abs(x);
    if (a == 0) return sign;
    const int exponent = std::max(std::isinf(a) ? 127 : std::ilogb(a), kLeast);
    const float rounded = std::ldexp(std::nearbyint(std::ldexp(a, kMantissa - exponent)), exponent - kMantissa);
    if (rounded > kLargest) return sign | kOverflow;
    if (rounded < std::ldexp(1.0f, kLeast)) // denormal: the exponent field is 0
        return sign | static_cast<uint32_t>(std::ldexp(rounded, kMantissa - kLeast));
    const int e = std::ilogb(rounded);
    const auto fraction = static_cast<uint32_t>(std::ldexp(rounded, kMantissa - e)) & ((1u << kMantissa) - 1);
    return sign | static_cast<uint32_t>(e - kLeast + 1) << kMantissa | fraction;
}

} // namespace vkinfer::rdna
