// Vector arithmetic: one row per opcode, with what a lane computes. Names as gfx11 has them where gfx12 renamed.
#include "rdna/lanes.h"
#include "rdna/tables.h"

#include <algorithm>

namespace vkinfer::rdna {

namespace {

using enum Format;

constexpr uint32_t low_mask(uint32_t n) {
    return n >= 32 ? ~0u : (1u << n) - 1;
}

// IEEE minNum and maxNum: a NaN loses against a number.
template<class T>
T max_num(T a, T b) {
    return a > b || b != b ? a : b;
}
template<class T>
T min_num(T a, T b) {
    return a < b || b != b ? a : b;
}
template<class T>
T median(T a, T b, T c) {
    if (a != a || b != b || c != c) return min_num(min_num(a, b), c);
    return max_num(min_num(a, b), min_num(max_num(a, b), c));
}

template<class T>
T saturating(double x) {
    if (x != x) return 0;
    if (x <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
    if (x >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
    return static_cast<T>(x);
}

/// Periods, not radians.
float sine(float turns) {
    return static_cast<float>(std::sin((turns - std::floor(double{turns})) * 2 * M_PI));
}
float cosine(float turns) {
    return static_cast<float>(std::cos((turns - std::floor(double{turns})) * 2 * M_PI));
}

int32_t count_leading(uint32_t x) {
    return x == 0 ? -1 : std::countl_zero(x);
}
uint32_t permute_byte(uint64_t bytes, uint32_t selector) {
    if (selector < 8) return bytes >> 8 * selector & 255;
    if (selector < 12) return bytes >> (8 * (2 * (selector - 8) + 1) + 7) & 1 ? 255 : 0;
    return selector == 12 ? 0 : 255;
}
uint32_t permute(uint32_t a, uint32_t b, uint32_t selector) {
    const uint64_t bytes = uint64_t{a} << 32 | b;
    uint32_t result = 0;
    for (int i = 0; i < 4; ++i) result |= permute_byte(bytes, selector >> 8 * i & 255) << 8 * i;
    return result;
}
int32_t sext24(uint32_t x) {
    return static_cast<int32_t>(x << 8) >> 8;
}

constexpr Opcode kRows[] = {
    // VOP1: moves and conversions
    plain_op(
        "v_nop", vop1, 0, 0, [](Wave&, const Instruction&) {}, Class::vector),
    vector_op<[](uint32_t a) { return a; }>("v_mov_b32", vop1, 1, 1),
    vector_op<[](int32_t a) { return static_cast<float>(a); }>("v_cvt_f32_i32", vop1, 5, 5),
    vector_op<[](uint32_t a) { return static_cast<float>(a); }>("v_cvt_f32_u32", vop1, 6, 6),
    vector_op<[](float a) { return saturating<uint32_t>(a); }>("v_cvt_u32_f32", vop1, 7, 7),
    vector_op<[](float a) { return saturating<int32_t>(a); }>("v_cvt_i32_f32", vop1, 8, 8),
    vector_op<[](float a) { return static_cast<Half>(a); }>("v_cvt_f16_f32", vop1, 10, 10),
    vector_op<[](Half a) { return static_cast<float>(a); }>("v_cvt_f32_f16", vop1, 11, 11),
    vector_op<[](float a) { return saturating<int32_t>(std::floor(a + 0.5f)); }>("v_cvt_nearest_i32_f32", vop1, 12, 12),
    vector_op<[](float a) { return saturating<int32_t>(std::floor(a)); }>("v_cvt_floor_i32_f32", vop1, 13, 13),
    vector_op<[](uint32_t a) { return static_cast<float>(static_cast<int32_t>(a << 28) >> 28) / 16.0f; }>(
        "v_cvt_off_f32_i4", vop1, 14, 14),
    vector_op<[](double a) { return static_cast<float>(a); }>("v_cvt_f32_f64", vop1, 15, 15),
    vector_op<[](float a) { return static_cast<double>(a); }>("v_cvt_f64_f32", vop1, 16, 16),
    vector_op<[](int32_t a) { return static_cast<double>(a); }>("v_cvt_f64_i32", vop1, 4, 4),
    vector_op<[](uint32_t a) { return static_cast<double>(a); }>("v_cvt_f64_u32", vop1, 22, 22),
    vector_op<[](double a) { return saturating<uint32_t>(a); }>("v_cvt_u32_f64", vop1, 21, 21),
    vector_op<[](double a) { return saturating<int32_t>(a); }>("v_cvt_i32_f64", vop1, 3, 3),
    vector_op<[](uint32_t a) { return static_cast<float>(a & 255); }>("v_cvt_f32_ubyte0", vop1, 17, 17),
    vector_op<[](uint32_t a) { return static_cast<float>(a >> 8 & 255); }>("v_cvt_f32_ubyte1", vop1, 18, 18),
    vector_op<[](uint32_t a) { return static_cast<float>(a >> 16 & 255); }>("v_cvt_f32_ubyte2", vop1, 19, 19),
    vector_op<[](uint32_t a) { return static_cast<float>(a >> 24); }>("v_cvt_f32_ubyte3", vop1, 20, 20),
    vector_op<[](double a) { return std::trunc(a); }>("v_trunc_f64", vop1, 23, 23),
    vector_op<[](double a) { return std::ceil(a); }>("v_ceil_f64", vop1, 24, 24),
    vector_op<[](double a) { return std::nearbyint(a); }>("v_rndne_f64", vop1, 25, 25),
    vector_op<[](double a) { return std::floor(a); }>("v_floor_f64", vop1, 26, 26),
    vector_op<[](uint16_t a) { return a; }>("v_mov_b16", vop1, 28, 28),
    vector_op<[](float a) { return std::min(a - std::floor(a), 0x1.fffffep-1f); }>("v_fract_f32", vop1, 32, 32),
    vector_op<[](float a) { return std::trunc(a); }>("v_trunc_f32", vop1, 33, 33),
    vector_op<[](float a) { return std::ceil(a); }>("v_ceil_f32", vop1, 34, 34),
    vector_op<[](float a) { return std::nearbyint(a); }>("v_rndne_f32", vop1, 35, 35),
    vector_op<[](float a) { return std::floor(a); }>("v_floor_f32", vop1, 36, 36),
    transcendental<[](float a) { return std::exp2(a); }>("v_exp_f32", 37, 37),
    transcendental<[](float a) { return std::log2(a); }>("v_log_f32", 39, 39),
    transcendental<[](float a) { return 1.0f / a; }>("v_rcp_f32", 42, 42),
    transcendental<[](float a) { return 1.0f / a; }>("v_rcp_iflag_f32", 43, 43),
    transcendental<[](float a) { return 1.0f / std::sqrt(a); }>("v_rsq_f32", 46, 46),
    transcendental<[](double a) { return 1.0 / a; }>("v_rcp_f64", 47, 47),
    transcendental<[](double a) { return 1.0 / std::sqrt(a); }>("v_rsq_f64", 49, 49),
    transcendental<[](float a) { return std::sqrt(a); }>("v_sqrt_f32", 51, 51),
    transcendental<[](double a) { return std::sqrt(a); }>("v_sqrt_f64", 52, 52),
    transcendental<[](float a) { return sine(a); }>("v_sin_f32", 53, 53),
    transcendental<[](float a) { return cosine(a); }>("v_cos_f32", 54, 54),
    vector_op<[](uint32_t a) { return ~a; }>("v_not_b32", vop1, 55, 55),
    vector_op<[](uint32_t a) {
        uint32_t r = 0;
        for (int i = 0; i < 32; ++i) r |= (a >> i & 1) << (31 - i);
        return r;
    }>("v_bfrev_b32", vop1, 56, 56),
    vector_op<[](uint32_t a) { return count_leading(a); }>("v_clz_i32_u32", vop1, 57, 57),
    vector_op<[](uint32_t a) { return a == 0 ? -1 : std::countr_zero(a); }>("v_ctz_i32_b32", vop1, 58, 58),
    vector_op<[](uint32_t a) {
        const uint32_t x = a ^ static_cast<uint32_t>(static_cast<int32_t>(a) >> 31);
        return x == 0 ? -1 : std::countl_zero(x);
    }>("v_cls_i32", vop1, 59, 59),
    vector_op<[](float a) {
        int e = 0;
        if (std::isfinite(a) && a != 0) std::frexp(a, &e);
        return e;
    }>("v_frexp_exp_i32_f32", vop1, 63, 63),
    vector_op<[](float a) {
        int e = 0;
        return std::isfinite(a) ? std::frexp(a, &e) : a;
    }>("v_frexp_mant_f32", vop1, 64, 64),
    vector_op<[](uint16_t a) { return static_cast<Half>(a); }>("v_cvt_f16_u16", vop1, 80, 80),
    vector_op<[](int16_t a) { return static_cast<Half>(a); }>("v_cvt_f16_i16", vop1, 81, 81),
    vector_op<[](Half a) { return saturating<uint16_t>(double{a}); }>("v_cvt_u16_f16", vop1, 82, 82),
    vector_op<[](Half a) { return saturating<int16_t>(double{a}); }>("v_cvt_i16_f16", vop1, 83, 83),
    transcendental<[](Half a) { return static_cast<Half>(1.0f / float{a}); }>("v_rcp_f16", 84, 84),
    transcendental<[](Half a) { return static_cast<Half>(std::sqrt(float{a})); }>("v_sqrt_f16", 85, 85),
    transcendental<[](Half a) { return static_cast<Half>(1.0f / std::sqrt(float{a})); }>("v_rsq_f16", 86, 86),
    transcendental<[](Half a) { return static_cast<Half>(std::log2(float{a})); }>("v_log_f16", 87, 87),
    transcendental<[](Half a) { return static_cast<Half>(std::exp2(float{a})); }>("v_exp_f16", 88, 88),
    vector_op<[](Half a) { return static_cast<Half>(std::floor(float{a})); }>("v_floor_f16", vop1, 91, 91),
    vector_op<[](Half a) { return static_cast<Half>(std::ceil(float{a})); }>("v_ceil_f16", vop1, 92, 92),
    vector_op<[](Half a) { return static_cast<Half>(std::trunc(float{a})); }>("v_trunc_f16", vop1, 93, 93),
    vector_op<[](Half a) { return static_cast<Half>(std::nearbyint(float{a})); }>("v_rndne_f16", vop1, 94, 94),
    vector_op<[](uint16_t a) { return static_cast<uint16_t>(~a); }>("v_not_b16", vop1, 105, 105),
    vector_op<[](int16_t a) { return int32_t{a}; }>("v_cvt_i32_i16", vop1, 106, 106),
    vector_op<[](uint16_t a) { return uint32_t{a}; }>("v_cvt_u32_u16", vop1, 107, 107),

    // VOP2
    vector_op<[](float a, float b) { return a + b; }>("v_add_f32", vop2, 3, 3),
    vector_op<[](float a, float b) { return a - b; }>("v_sub_f32", vop2, 4, 4),
    vector_op<[](float a, float b) { return b - a; }>("v_subrev_f32", vop2, 5, 5),
    vector_op<[](float a, float b) { return a == 0 || b == 0 ? 0.0f : a * b; }>("v_mul_dx9_zero_f32", vop2, 7, 7),
    vector_op<[](float a, float b) { return a * b; }>("v_mul_f32", vop2, 8, 8),
    vector_op<[](uint32_t a, uint32_t b) { return uint32_t(sext24(a)) * uint32_t(sext24(b)); }>("v_mul_i32_i24", vop2,
                                                                                                9, 9),
    vector_op<[](uint32_t a, uint32_t b) { return static_cast<uint32_t>((int64_t{sext24(a)} * sext24(b)) >> 32); }>(
        "v_mul_hi_i32_i24", vop2, 10, 10),
    vector_op<[](uint32_t a, uint32_t b) { return (a & 0xffffff) * (b & 0xffffff); }>("v_mul_u32_u24", vop2, 11, 11),
    vector_op<[](uint32_t a, uint32_t b) {
        return static_cast<uint32_t>((uint64_t{a & 0xffffff} * (b & 0xffffff)) >> 32);
    }>("v_mul_hi_u32_u24", vop2, 12, 12),
    vector_op<[](double a, double b) { return a + b; }>("v_add_f64", vop2, -1, 2),
    vector_op<[](double a, double b) { return a * b; }>("v_mul_f64", vop2, -1, 6),
    vector_op<[](float a, float b) { return min_num(a, b); }>("v_min_f32", vop2, 15, 21),
    vector_op<[](float a, float b) { return max_num(a, b); }>("v_max_f32", vop2, 16, 22),
    vector_op<[](int32_t a, int32_t b) { return std::min(a, b); }>("v_min_i32", vop2, 17, 17),
    vector_op<[](int32_t a, int32_t b) { return std::max(a, b); }>("v_max_i32", vop2, 18, 18),
    vector_op<[](uint32_t a, uint32_t b) { return std::min(a, b); }>("v_min_u32", vop2, 19, 19),
    vector_op<[](uint32_t a, uint32_t b) { return std::max(a, b); }>("v_max_u32", vop2, 20, 20),
    vector_op<[](uint32_t a, uint32_t b) { return b << (a & 31); }>("v_lshlrev_b32", vop2, 24, 24),
    vector_op<[](uint32_t a, uint32_t b) { return (b >> (a & 31)); }>("v_lshrrev_b32", vop2, 25, 25),
    vector_op<[](uint32_t a, int32_t b) { return (b >> (a & 31)); }>("v_ashrrev_i32", vop2, 26, 26),
    vector_op<[](uint32_t a, uint32_t b) { return a & b; }>("v_and_b32", vop2, 27, 27),
    vector_op<[](uint32_t a, uint32_t b) { return a | b; }>("v_or_b32", vop2, 28, 28),
    vector_op<[](uint32_t a, uint32_t b) { return a ^ b; }>("v_xor_b32", vop2, 29, 29),
    vector_op<[](uint32_t a, uint32_t b) { return ~(a ^ b); }>("v_xnor_b32", vop2, 30, 30),
    vector_op<[](uint32_t a, uint64_t b) { return b << (a & 63); }>("v_lshlrev_b64", vop2, -1, 31),
    vector_op<[](uint32_t a, uint32_t b) { return a + b; }>("v_add_nc_u32", vop2, 37, 37),
    vector_op<[](uint32_t a, uint32_t b) { return a - b; }>("v_sub_nc_u32", vop2, 38, 38),
    vector_op<[](uint32_t a, uint32_t b) { return b - a; }>("v_subrev_nc_u32", vop2, 39, 39),
    vector_op<[](float a, float b, float c) { return std::fma(a, b, c); }>("v_fmac_f32", vop2, 43, 43, kAccumulate),
    vector_op<[](float a, float b, float c) { return std::fma(a, b, c); }>("v_fmamk_f32", vop2, 44, 44, kLiteralK),
    vector_op<[](float a, float b, float c) { return std::fma(a, b, c); }>("v_fmaak_f32", vop2, 45, 45, kLiteralA),
    vector_op<[](float a, float b) { return to_half_rtz(a) | to_half_rtz(b) << 16; }>("v_cvt_pk_rtz_f16_f32", vop2, 47,
                                                                                      47),
    vector_op<[](Half a, Half b) { return static_cast<Half>(a + b); }>("v_add_f16", vop2, 50, 50),
    vector_op<[](Half a, Half b) { return static_cast<Half>(a - b); }>("v_sub_f16", vop2, 51, 51),
    vector_op<[](Half a, Half b) { return static_cast<Half>(b - a); }>("v_subrev_f16", vop2, 52, 52),
    vector_op<[](Half a, Half b) { return static_cast<Half>(a * b); }>("v_mul_f16", vop2, 53, 53),
    vector_op<[](Half a, Half b, Half c) { return static_cast<Half>(double{a} * double{b} + double{c}); }>(
        "v_fmac_f16", vop2, 54, 54, kAccumulate),
    vector_op<[](Half a, Half b, Half c) { return static_cast<Half>(double{a} * double{b} + double{c}); }>(
        "v_fmamk_f16", vop2, 55, 55, kLiteralK),
    vector_op<[](Half a, Half b, Half c) { return static_cast<Half>(double{a} * double{b} + double{c}); }>(
        "v_fmaak_f16", vop2, 56, 56, kLiteralA),
    vector_op<[](Half a, Half b) { return max_num(a, b); }>("v_max_f16", vop2, 57, 49),
    vector_op<[](Half a, Half b) { return min_num(a, b); }>("v_min_f16", vop2, 58, 48),
    vector_op<[](Half a, int16_t b) { return static_cast<Half>(std::ldexp(float{a}, b)); }>("v_ldexp_f16", vop2, 59,
                                                                                            59),

    // VOP3 alone
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) { return uint32_t(sext24(a)) * uint32_t(sext24(b)) + c; }>(
        "v_mad_i32_i24", vop3, 522, 522),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) { return (a & 0xffffff) * (b & 0xffffff) + c; }>("v_mad_u32_u24",
                                                                                                      vop3, 523, 523),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) { return (a >> (b & 31)) & low_mask(c & 31); }>("v_bfe_u32", vop3,
                                                                                                     528, 528),
    vector_op<[](int32_t a, uint32_t b, uint32_t c) {
        const uint32_t n = c & 31, shift = b & 31;
        return n == 0 ? 0 : (static_cast<int32_t>(static_cast<uint32_t>(a >> shift) << (32 - n)) >> (32 - n));
    }>("v_bfe_i32", vop3, 529, 529),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) { return (a & b) | (~a & c); }>("v_bfi_b32", vop3, 530, 530),
    vector_op<[](float a, float b, float c) { return std::fma(a, b, c); }>("v_fma_f32", vop3, 531, 531),
    vector_op<[](double a, double b, double c) { return std::fma(a, b, c); }>("v_fma_f64", vop3, 532, 532),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) {
        return static_cast<uint32_t>((uint64_t{a} << 32 | b) >> (c & 31));
    }>("v_alignbit_b32", vop3, 534, 534),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) {
        return static_cast<uint32_t>((uint64_t{a} << 32 | b) >> 8 * (c & 3));
    }>("v_alignbyte_b32", vop3, 535, 535),
    vector_op<[](float a, float b, float c) { return min_num(min_num(a, b), c); }>("v_min3_f32", vop3, 537, 553),
    vector_op<[](int32_t a, int32_t b, int32_t c) { return std::min({a, b, c}); }>("v_min3_i32", vop3, 538, 538),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) { return std::min({a, b, c}); }>("v_min3_u32", vop3, 539, 539),
    vector_op<[](float a, float b, float c) { return max_num(max_num(a, b), c); }>("v_max3_f32", vop3, 540, 554),
    vector_op<[](int32_t a, int32_t b, int32_t c) { return std::max({a, b, c}); }>("v_max3_i32", vop3, 541, 541),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) { return std::max({a, b, c}); }>("v_max3_u32", vop3, 542, 542),
    vector_op<[](float a, float b, float c) { return median(a, b, c); }>("v_med3_f32", vop3, 543, 561),
    vector_op<[](int32_t a, int32_t b, int32_t c) { return std::max(std::min(a, b), std::min(std::max(a, b), c)); }>(
        "v_med3_i32", vop3, 544, 544),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) { return std::max(std::min(a, b), std::min(std::max(a, b), c)); }>(
        "v_med3_u32", vop3, 545, 545),
    // RADV divides with v_rcp and a fix-up for the ends of the range.
    vector_op<[](float q, float b, float a) {
        const bool sign = std::signbit(a) != std::signbit(b);
        if (a != a || b != b || (a == 0 && b == 0) || (std::isinf(a) && std::isinf(b))) return NAN;
        if (std::isinf(a) || b == 0) return sign ? -INFINITY : INFINITY;
        if (std::isinf(b) || a == 0) return sign ? -0.0f : 0.0f;
        return sign ? -std::abs(q) : std::abs(q);
    }>("v_div_fixup_f32", vop3, 551, 551),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) { return a ^ b ^ c; }>("v_xor3_b32", vop3, 576, 576),
    vector_op<[](uint16_t a, uint16_t b, uint16_t c) { return static_cast<uint16_t>(uint32_t{a} * b + c); }>(
        "v_mad_u16", vop3, 577, 577),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) { return permute(a, b, c); }>("v_perm_b32", vop3, 580, 580),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) { return (a ^ b) + c; }>("v_xad_u32", vop3, 581, 581),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) { return (a << (b & 31)) + c; }>("v_lshl_add_u32", vop3, 582, 582),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) { return (a + b) << (c & 31); }>("v_add_lshl_u32", vop3, 583, 583),
    vector_op<[](Half a, Half b, Half c) { return static_cast<Half>(double{a} * double{b} + double{c}); }>(
        "v_fma_f16", vop3, 584, 584),
    vector_op<[](Half a, Half b, Half c) { return min_num(min_num(a, b), c); }>("v_min3_f16", vop3, 585, 555),
    vector_op<[](Half a, Half b, Half c) { return max_num(max_num(a, b), c); }>("v_max3_f16", vop3, 588, 556),
    vector_op<[](Half a, Half b, Half c) { return median(a, b, c); }>("v_med3_f16", vop3, 591, 562),
    vector_op<[](int16_t a, int16_t b, int16_t c) { return static_cast<int16_t>(a * b + c); }>("v_mad_i16", vop3, 595,
                                                                                               595),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) { return a + b + c; }>("v_add3_u32", vop3, 597, 597),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) { return (a << (b & 31)) | c; }>("v_lshl_or_b32", vop3, 598, 598),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) { return (a & b) | c; }>("v_and_or_b32", vop3, 599, 599),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) { return a | b | c; }>("v_or3_b32", vop3, 600, 600),
    vector_op<[](uint16_t a, uint16_t b, uint32_t c) { return uint32_t{a} * b + c; }>("v_mad_u32_u16", vop3, 601, 601),
    vector_op<[](int16_t a, int16_t b, int32_t c) { return uint32_t(a * b) + uint32_t(c); }>("v_mad_i32_i16", vop3, 602,
                                                                                             602),
    vector_op<[](float a, float b, float c) { return min_num(max_num(a, b), c); }>("v_maxmin_f32", vop3, 606, 617),
    vector_op<[](float a, float b, float c) { return max_num(min_num(a, b), c); }>("v_minmax_f32", vop3, 607, 616),
    vector_op<[](Half a, Half b, Half c) { return min_num(max_num(a, b), c); }>("v_maxmin_f16", vop3, 608, 619),
    vector_op<[](Half a, Half b, Half c) { return max_num(min_num(a, b), c); }>("v_minmax_f16", vop3, 609, 618),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) { return std::min(std::max(a, b), c); }>("v_maxmin_u32", vop3, 610,
                                                                                              610),
    vector_op<[](uint32_t a, uint32_t b, uint32_t c) { return std::max(std::min(a, b), c); }>("v_minmax_u32", vop3, 611,
                                                                                              611),
    vector_op<[](int32_t a, int32_t b, int32_t c) { return std::min(std::max(a, b), c); }>("v_maxmin_i32", vop3, 612,
                                                                                           612),
    vector_op<[](int32_t a, int32_t b, int32_t c) { return std::max(std::min(a, b), c); }>("v_minmax_i32", vop3, 613,
                                                                                           613),
    vector_op<[](uint16_t a, uint16_t b) { return static_cast<uint16_t>(a + b); }>("v_add_nc_u16", vop3, 771, 771),
    vector_op<[](uint16_t a, uint16_t b) { return static_cast<uint16_t>(a - b); }>("v_sub_nc_u16", vop3, 772, 772),
    vector_op<[](uint16_t a, uint16_t b) { return static_cast<uint16_t>(uint32_t{a} * b); }>("v_mul_lo_u16", vop3, 773,
                                                                                             773),
    vector_op<[](float a, float b) {
        return (uint32_t(saturating<int16_t>(a)) & 0xffff) | uint32_t(saturating<int16_t>(b)) << 16;
    }>("v_cvt_pk_i16_f32", vop3, 774, 774),
    vector_op<[](float a, float b) {
        return uint32_t{saturating<uint16_t>(a)} | uint32_t{saturating<uint16_t>(b)} << 16;
    }>("v_cvt_pk_u16_f32", vop3, 775, 775),
    vector_op<[](uint16_t a, uint16_t b) { return std::max(a, b); }>("v_max_u16", vop3, 777, 777),
    vector_op<[](int16_t a, int16_t b) { return std::max(a, b); }>("v_max_i16", vop3, 778, 778),
    vector_op<[](uint16_t a, uint16_t b) { return std::min(a, b); }>("v_min_u16", vop3, 779, 779),
    vector_op<[](int16_t a, int16_t b) { return std::min(a, b); }>("v_min_i16", vop3, 780, 780),
    vector_op<[](int16_t a, int16_t b) { return static_cast<int16_t>(a + b); }>("v_add_nc_i16", vop3, 781, 781),
    vector_op<[](int16_t a, int16_t b) { return static_cast<int16_t>(a - b); }>("v_sub_nc_i16", vop3, 782, 782),
    vector_op<[](Half a, Half b) {
        return uint32_t{std::bit_cast<uint16_t>(a)} | uint32_t{std::bit_cast<uint16_t>(b)} << 16;
    }>("v_pack_b32_f16", vop3, 785, 785),
    vector_op<[](float a, int32_t b) { return std::ldexp(a, b); }>("v_ldexp_f32", vop3, 796, 796),
    vector_op<[](uint32_t a, uint32_t b) { return low_mask(a & 31) << (b & 31); }>("v_bfm_b32", vop3, 797, 797),
    vector_op<[](uint32_t a, uint32_t b) { return uint32_t(std::popcount(a)) + b; }>("v_bcnt_u32_b32", vop3, 798, 798),
    vector_op<[](uint32_t a, uint32_t b) { return std::min(a, 0xffffu) | std::min(b, 0xffffu) << 16; }>(
        "v_cvt_pk_u16_u32", vop3, 803, 803),
    vector_op<[](int32_t a, int32_t b) {
        return (uint32_t(std::clamp(a, -32768, 32767)) & 0xffff) | uint32_t(std::clamp(b, -32768, 32767)) << 16;
    }>("v_cvt_pk_i16_i32", vop3, 804, 804),
    vector_op<[](uint32_t a, uint32_t b) { return a - b; }>("v_sub_nc_i32", vop3, 805, 805),
    vector_op<[](uint32_t a, uint32_t b) { return a + b; }>("v_add_nc_i32", vop3, 806, 806),
    vector_op<[](double a, double b) { return a + b; }>("v_add_f64", vop3, 807, -1),
    vector_op<[](double a, double b) { return a * b; }>("v_mul_f64", vop3, 808, -1),
    vector_op<[](double a, int32_t b) { return std::ldexp(a, b); }>("v_ldexp_f64", vop3, 811, 811),
    vector_op<[](uint32_t a, uint32_t b) { return a * b; }>("v_mul_lo_u32", vop3, 812, 812),
    vector_op<[](uint32_t a, uint32_t b) { return uint32_t(uint64_t{a} * b >> 32); }>("v_mul_hi_u32", vop3, 813, 813),
    vector_op<[](int32_t a, int32_t b) { return uint32_t(int64_t{a} * b >> 32); }>("v_mul_hi_i32", vop3, 814, 814),
    vector_op<[](uint16_t a, uint16_t b) { return static_cast<uint16_t>(b << (a & 15)); }>("v_lshlrev_b16", vop3, 824,
                                                                                           824),
    vector_op<[](uint16_t a, uint16_t b) { return static_cast<uint16_t>(b >> (a & 15)); }>("v_lshrrev_b16", vop3, 825,
                                                                                           825),
    vector_op<[](uint16_t a, int16_t b) { return static_cast<int16_t>(b >> (a & 15)); }>("v_ashrrev_i16", vop3, 826,
                                                                                         826),
    vector_op<[](uint32_t a, uint64_t b) { return b << (a & 63); }>("v_lshlrev_b64", vop3, 828, -1),
    vector_op<[](uint32_t a, uint64_t b) { return (b >> (a & 63)); }>("v_lshrrev_b64", vop3, 829, 829),
    vector_op<[](uint32_t a, int64_t b) { return (b >> (a & 63)); }>("v_ashrrev_i64", vop3, 830, 830),
    vector_op<[](uint16_t a, uint16_t b) { return static_cast<uint16_t>(a & b); }>("v_and_b16", vop3, 866, 866),
    vector_op<[](uint16_t a, uint16_t b) { return static_cast<uint16_t>(a | b); }>("v_or_b16", vop3, 867, 867),
    vector_op<[](uint16_t a, uint16_t b) { return static_cast<uint16_t>(a ^ b); }>("v_xor_b16", vop3, 868, 868),
};

} // namespace

std::span<const Opcode> vector_rows() {
    return kRows;
}

} // namespace vkinfer::rdna
