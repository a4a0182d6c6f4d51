// Conversions and dot products of 8-bit floats, gfx12 alone. op_sel says which byte or half of a register is meant.
#include "rdna/float8.h"
#include "rdna/lanes.h"
#include "rdna/tables.h"

namespace vkinfer::rdna {

namespace {

using enum Format;
using enum Float8;

template<Float8 kType>
void convert_byte(Wave& w, const Instruction& in) {
    const uint32_t byte = (in.op_sel & 1) << 1 | (in.op_sel >> 1 & 1); // its bits are reversed
    with_sources<uint32_t, void, void>(w, in, [&](const Source& a, const Source&, const Source&, uint64_t active) {
        float result[64];
        for (uint32_t l = 0; l < w.lanes; ++l) result[l] = from_float8<kType>(a.low[l] >> 8 * byte & 255);
        write_result(w, in, result, active);
    });
}

/// Stochastic rounding: the second source is added below the mantissa's last bit. One byte of the register is written.
template<Float8 kType>
void convert_stochastic(Wave& w, const Instruction& in) {
    constexpr uint32_t kBelow = kType == fp8 ? 12 : 11;
    const uint32_t shift = 8 * (in.op_sel >> 2);
    with_sources<float, uint32_t, void>(w, in, [&](const Source& a, const Source& b, const Source&, uint64_t active) {
        for_lanes(active, [&](uint32_t l) {
            const auto bits = std::bit_cast<uint32_t>(a.get<float>(l));
            const uint32_t mantissa = (bits + (b.low[l] >> kBelow)) & 0x7fffff;
            const uint32_t made = to_float8<kType>(std::bit_cast<float>((bits & 0xff800000) | mantissa));
            uint32_t& to = w.v[in.dst.index][l];
            to = (to & ~(0xffu << shift)) | made << shift;
        });
    });
}

template<Float8 kType>
uint64_t unpack(uint16_t a) {
    return std::bit_cast<uint32_t>(from_float8<kType>(a & 255)) |
           uint64_t{std::bit_cast<uint32_t>(from_float8<kType>(a >> 8))} << 32;
}
template<Float8 kType>
uint16_t pack(float a, float b) {
    return static_cast<uint16_t>(to_float8<kType>(a) | to_float8<kType>(b) << 8);
}
template<Float8 kA, Float8 kB>
float dot(uint32_t a, uint32_t b, float sum) {
    for (int i = 0; i < 32; i += 8) sum += from_float8<kA>(a >> i & 255) * from_float8<kB>(b >> i & 255);
    return sum;
}

constexpr Opcode kRows[] = {
    plain_op("v_cvt_f32_fp8", vop1, -1, 108, convert_byte<fp8>, Class::vector, kF32, {kU32}, kOpSel),
    plain_op("v_cvt_f32_bf8", vop1, -1, 109, convert_byte<bf8>, Class::vector, kF32, {kU32}, kOpSel),
    vector_op<unpack<fp8>>("v_cvt_pk_f32_fp8", vop1, -1, 110),
    vector_op<unpack<bf8>>("v_cvt_pk_f32_bf8", vop1, -1, 111),
    vector_op<pack<fp8>>("v_cvt_pk_fp8_f32", vop3, -1, 873),
    vector_op<pack<bf8>>("v_cvt_pk_bf8_f32", vop3, -1, 874),
    plain_op("v_cvt_sr_fp8_f32", vop3, -1, 875, convert_stochastic<fp8>, Class::vector, kU32, {kF32, kU32},
             kKeepsDst | kOpSel),
    plain_op("v_cvt_sr_bf8_f32", vop3, -1, 876, convert_stochastic<bf8>, Class::vector, kU32, {kF32, kU32},
             kKeepsDst | kOpSel),
    vector_op<dot<fp8, bf8>>("v_dot4_f32_fp8_bf8", vop3p, -1, 36, 0, Class::dot),
    vector_op<dot<bf8, fp8>>("v_dot4_f32_bf8_fp8", vop3p, -1, 37, 0, Class::dot),
    vector_op<dot<fp8, fp8>>("v_dot4_f32_fp8_fp8", vop3p, -1, 38, 0, Class::dot),
    vector_op<dot<bf8, bf8>>("v_dot4_f32_bf8_bf8", vop3p, -1, 39, 0, Class::dot),
};

} // namespace

std::span<const Opcode> float8_rows() {
    return kRows;
}

} // namespace vkinfer::rdna
