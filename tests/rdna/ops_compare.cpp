// Vector compares: a predicate per row; v_cmpx_* writes EXEC and has the number of v_cmp_* plus 128.
#include "rdna/lanes.h"
#include "rdna/tables.h"

namespace vkinfer::rdna {

namespace {

/// Class bits of a float, from its bits: signalling NaN, quiet NaN, -inf, -normal, -denormal, -0, +0, +denormal,
/// +normal, +inf. ACO tests bits of an integer with it, as the mask of a constant's class.
uint32_t class_of(uint32_t bits, uint32_t n_mantissa, uint32_t n_exponent) {
    const uint32_t mantissa = bits & ((1u << n_mantissa) - 1), largest = (1u << n_exponent) - 1;
    const uint32_t exponent = bits >> n_mantissa & largest;
    const bool negative = bits >> (n_mantissa + n_exponent) & 1;
    if (exponent == largest && mantissa != 0) return mantissa >> (n_mantissa - 1) & 1 ? 2 : 1;
    if (exponent == largest) return negative ? 4 : 512;
    if (exponent != 0) return negative ? 8 : 256;
    if (mantissa != 0) return negative ? 16 : 128;
    return negative ? 32 : 64;
}
uint32_t class_of(Half x) {
    return class_of(std::bit_cast<uint16_t>(x), 10, 5);
}
uint32_t class_of(float x) {
    return class_of(std::bit_cast<uint32_t>(x), 23, 8);
}

#define VKINFER_COMPARE(name, type, number, expression)                                                                \
    compare_op<[](type a, type b) { return (expression); }>("v_cmp_" name, number),                                    \
        compare_exec_op<[](type a, type b) { return (expression); }>("v_cmpx_" name, number)

#define VKINFER_FLOAT_COMPARES(suffix, type, base)                                                                     \
    VKINFER_COMPARE("lt_" suffix, type, base + 1, a < b), VKINFER_COMPARE("eq_" suffix, type, base + 2, a == b),       \
        VKINFER_COMPARE("le_" suffix, type, base + 3, a <= b), VKINFER_COMPARE("gt_" suffix, type, base + 4, a > b),   \
        VKINFER_COMPARE("lg_" suffix, type, base + 5, (a < b || a > b)),                                               \
        VKINFER_COMPARE("ge_" suffix, type, base + 6, a >= b),                                                         \
        VKINFER_COMPARE("o_" suffix, type, base + 7, (a == a && b == b)),                                              \
        VKINFER_COMPARE("u_" suffix, type, base + 8, (a != a || b != b)),                                              \
        VKINFER_COMPARE("nge_" suffix, type, base + 9, !(a >= b)),                                                     \
        VKINFER_COMPARE("nlg_" suffix, type, base + 10, !(a < b || a > b)),                                            \
        VKINFER_COMPARE("ngt_" suffix, type, base + 11, !(a > b)),                                                     \
        VKINFER_COMPARE("nle_" suffix, type, base + 12, !(a <= b)),                                                    \
        VKINFER_COMPARE("neq_" suffix, type, base + 13, a != b),                                                       \
        VKINFER_COMPARE("nlt_" suffix, type, base + 14, !(a < b))

#define VKINFER_INT_COMPARES(suffix, type, base)                                                                       \
    VKINFER_COMPARE("lt_" suffix, type, base + 1, a < b), VKINFER_COMPARE("eq_" suffix, type, base + 2, a == b),       \
        VKINFER_COMPARE("le_" suffix, type, base + 3, a <= b), VKINFER_COMPARE("gt_" suffix, type, base + 4, a > b),   \
        VKINFER_COMPARE("ne_" suffix, type, base + 5, a != b), VKINFER_COMPARE("ge_" suffix, type, base + 6, a >= b)

constexpr Opcode kRows[] = {
    VKINFER_FLOAT_COMPARES("f16", Half, 0),
    VKINFER_FLOAT_COMPARES("f32", float, 16),
    VKINFER_FLOAT_COMPARES("f64", double, 32),
    VKINFER_INT_COMPARES("i16", int16_t, 48),
    VKINFER_INT_COMPARES("u16", uint16_t, 56),
    VKINFER_INT_COMPARES("i32", int32_t, 64),
    VKINFER_INT_COMPARES("u32", uint32_t, 72),
    VKINFER_INT_COMPARES("i64", int64_t, 80),
    VKINFER_INT_COMPARES("u64", uint64_t, 88),
    compare_op<[](Half a, uint16_t b) { return (class_of(a) & b) != 0; }>("v_cmp_class_f16", 125),
    compare_op<[](float a, uint32_t b) { return (class_of(a) & b) != 0; }>("v_cmp_class_f32", 126),
    compare_exec_op<[](float a, uint32_t b) { return (class_of(a) & b) != 0; }>("v_cmpx_class_f32", 126),
};

} // namespace

std::span<const Opcode> compare_rows() {
    return kRows;
}

} // namespace vkinfer::rdna
