// The arithmetic under the samplers, defined to the bit so that a GPU sampler can reproduce it.
#pragma once

#include <bit>
#include <cstdint>

namespace vkinfer::runtime {

/// The weight of the best candidate; the others have exp(their distance) of it.
inline constexpr uint32_t kFullWeight = 1u << 30;

/// round(2^30 * exp(x)) for x <= 0, within 2^-22 of it relatively; 0 below -21.5 and for NaN. Only float additions and
/// multiplications without contraction and one conversion: the same everywhere. (Range reduction and polynomial as in
/// Cephes expf.)
inline uint32_t exp_weight(float x) {
    // Without branches, so that loops over it become vector code.
    const float bounded = x > -21.5f ? x : -21.5f;
    const auto n = static_cast<int32_t>(bounded * 1.44269504f - 0.5f); // nearest integer, as x is not positive
    const auto k = static_cast<float>(n);
    const float r = (bounded - k * 0.693359375f) - k * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    const float y = (p * (r * r) + r) + 1.0f;
    const float scale = std::bit_cast<float>(static_cast<uint32_t>(n + 30 + 127) << 23);
    const auto weight = static_cast<uint32_t>(static_cast<int32_t>(y * scale + 0.5f));
    return x > -21.5f ? weight : 0;
}

/// 64 random bits: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) with key `seed`
/// and counter `index`, its first two words.
uint64_t random_bits(uint64_t seed, uint64_t index);

/// The upper 64 bits of the 128-bit product.
uint64_t multiply_high(uint64_t a, uint64_t b);

} // namespace vkinfer::runtime
