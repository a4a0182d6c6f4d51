// Vector instructions that know their lane: selects by mask, carries, and exchanges between lanes.
#include "rdna/lanes.h"
#include "rdna/tables.h"

#include <utility>

namespace vkinfer::rdna {

namespace {

using enum Format;

/// f(lane, a, b) for all lanes to the 32-bit destination.
template<class A, class B, class F>
void each_lane(Wave& w, const Instruction& in, F&& f) {
    with_sources<A, B, void>(w, in, [&](const Source& a, const Source& b, const Source&, uint64_t active) {
        Lanes result;
        for (uint32_t l = 0; l < w.lanes; ++l) result[l] = f(l, a.get<A>(l), b.get<B>(l));
        write_lanes(w, in.dst.index, result, active);
    });
}

uint64_t mask_of(const Wave& w, const Operand& operand) {
    if (operand.kind == OperandKind::sgpr) return operand.index == kNull ? 0 : w.mask(operand.index);
    return static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(operand.value)));
}

// Sources are floats for the sake of their sign modifiers.
void cndmask(Wave& w, const Instruction& in) {
    const uint64_t mask = mask_of(w, in.src[2]);
    each_lane<float, float>(
        w, in, [&](uint32_t l, float a, float b) { return std::bit_cast<uint32_t>(mask >> l & 1 ? b : a); });
}
void cndmask_b16(Wave& w, const Instruction& in) {
    const uint64_t mask = mask_of(w, in.src[2]);
    with_sources<uint16_t, uint16_t, void>(w, in,
                                           [&](const Source& a, const Source& b, const Source&, uint64_t active) {
                                               Lanes result;
                                               for (uint32_t l = 0; l < w.lanes; ++l)
                                                   result[l] = mask >> l & 1 ? b.low[l] : a.low[l];
                                               write_halves(w, in.dst, result, active);
                                           });
}

/// dst, carry out = F(a, b, carry in).
template<auto F, bool kReadsCarry>
void with_carry(Wave& w, const Instruction& in) {
    const uint64_t carry_in = kReadsCarry ? mask_of(w, in.src[2]) : 0;
    uint64_t carry_out = 0, taken = 0;
    with_sources<uint32_t, uint32_t, void>(
        w, in, [&](const Source& a, const Source& b, const Source&, uint64_t active) {
            Lanes result;
            for (uint32_t l = 0; l < w.lanes; ++l) {
                const uint64_t r = F(a.get<uint32_t>(l), b.get<uint32_t>(l), carry_in >> l & 1);
                result[l] = static_cast<uint32_t>(r);
                carry_out |= (r >> 32 & 1) << l;
            }
            taken = active;
            write_lanes(w, in.dst.index, result, active);
        });
    w.set_mask(in.sdst.index, carry_out & taken);
}
template<auto F>
void multiply_add_64(Wave& w, const Instruction& in) {
    with_sources<uint32_t, uint32_t, uint64_t>(
        w, in, [&](const Source& a, const Source& b, const Source& c, uint64_t active) {
            Lanes low, high;
            uint64_t carry = 0;
            for (uint32_t l = 0; l < w.lanes; ++l) {
                const uint64_t product = F(a.get<uint32_t>(l), b.get<uint32_t>(l)), add = c.get<uint64_t>(l);
                const uint64_t r = product + add;
                low[l] = static_cast<uint32_t>(r);
                high[l] = static_cast<uint32_t>(r >> 32);
                carry |= uint64_t{r < product} << l;
            }
            write_lanes(w, in.dst.index, low, active);
            write_lanes(w, in.dst.index + 1u, high, active);
            w.set_mask(in.sdst.index, carry & active);
        });
}

void readfirstlane(Wave& w, const Instruction& in) {
    const uint64_t exec = w.exec();
    const uint32_t lane = exec == 0 ? 0 : static_cast<uint32_t>(std::countr_zero(exec));
    check_lanes(w, in.src[0], uint64_t{1} << lane);
    const uint32_t value = in.src[0].kind == OperandKind::vgpr ? w.v[in.src[0].index][lane] : read_scalar(w, in.src[0]);
    if (in.dst.index != kNull) w.s[in.dst.index] = value;
}
void readlane(Wave& w, const Instruction& in) {
    const uint32_t lane = read_scalar(w, in.src[1]) & (w.lanes - 1);
    check_lanes(w, in.src[0], uint64_t{1} << lane);
    if (in.dst.index != kNull) w.s[in.dst.index] = w.v[in.src[0].index][lane];
}
void writelane(Wave& w, const Instruction& in) {
    const uint32_t lane = read_scalar(w, in.src[1]) & (w.lanes - 1);
    w.v[in.dst.index][lane] = read_scalar(w, in.src[0]);
    w.v_defined[in.dst.index] |= uint64_t{1} << lane;
}

/// Rows of 16 lanes: each lane takes the one that its 4 bits of the two scalars name, in its own row or the one beside.
template<uint32_t kFlip>
void permlane16(Wave& w, const Instruction& in) {
    const uint64_t select = read_scalar(w, in.src[1]) | uint64_t{read_scalar(w, in.src[2])} << 32;
    const bool fetch_inactive = in.op_sel & 1, bound_ctrl = in.op_sel & 2;
    const uint64_t exec = w.exec();
    const uint32_t* from = w.v[in.src[0].index];
    Lanes result;
    uint64_t active = exec, taken = 0;
    for (uint32_t l = 0; l < w.lanes; ++l) {
        const uint32_t source = ((l & ~15u) ^ kFlip) | (select >> 4 * (l & 15) & 15);
        const bool valid = fetch_inactive || (exec >> source & 1);
        result[l] = valid ? from[source] : 0;
        if (valid && (exec >> l & 1)) taken |= uint64_t{1} << source;
        if (!valid && !bound_ctrl) active &= ~(uint64_t{1} << l);
    }
    check_lanes(w, in.src[0], taken);
    write_lanes(w, in.dst.index, result, active);
}
/// The same with the selection in a vector register.
template<uint32_t kFlip>
void permlane16_var(Wave& w, const Instruction& in) {
    const bool fetch_inactive = in.op_sel & 1, bound_ctrl = in.op_sel & 2;
    const uint64_t exec = w.exec();
    check_lanes(w, in.src[1], exec);
    Lanes result;
    uint64_t active = exec, taken = 0;
    for (uint32_t l = 0; l < w.lanes; ++l) {
        const uint32_t source = ((l & ~15u) ^ kFlip) | (w.v[in.src[1].index][l] & 15);
        const bool valid = fetch_inactive || (exec >> source & 1);
        result[l] = valid ? w.v[in.src[0].index][source] : 0;
        if (valid && (exec >> l & 1)) taken |= uint64_t{1} << source;
        if (!valid && !bound_ctrl) active &= ~(uint64_t{1} << l);
    }
    check_lanes(w, in.src[0], taken);
    write_lanes(w, in.dst.index, result, active);
}
void permlane64(Wave& w, const Instruction& in) {
    if (w.lanes == 32) return;
    check_lanes(w, in.src[0], std::rotl(w.exec(), 32));
    Lanes result;
    for (uint32_t l = 0; l < 64; ++l) result[l] = w.v[in.src[0].index][l ^ 32];
    write_lanes(w, in.dst.index, result, w.exec());
}

template<uint32_t kFirst>
void mbcnt(Wave& w, const Instruction& in) {
    each_lane<uint32_t, uint32_t>(w, in, [](uint32_t l, uint32_t mask, uint32_t add) {
        const uint32_t below = l <= kFirst ? 0 : l - kFirst >= 32 ? ~0u : (1u << (l - kFirst)) - 1;
        return add + static_cast<uint32_t>(std::popcount(mask & below));
    });
}

void swap(Wave& w, const Instruction& in) {
    for_lanes(w.exec(), [&](uint32_t l) { std::swap(w.v[in.dst.index][l], w.v[in.src[0].index][l]); });
}

/// v_s_*: a function of a scalar, by the vector unit.
template<auto F>
void run_scalar_function(Wave& w, const Instruction& in) {
    using A = typename SignatureOf<F>::template Arg<0>;
    auto bits = read_scalar_bits<A>(w, in.src[0]);
    constexpr uint64_t kSign = sizeof(A) == 2 ? 0x8000 : 0x80000000;
    if (in.src[0].abs) bits &= ~kSign;
    if (in.src[0].neg) bits ^= kSign;
    const A result = modify_result(F(from_bits<A>(bits)), in);
    if (in.dst.index == kNull) return;
    if constexpr (sizeof(A) == 2)
        w.s[in.dst.index] = std::bit_cast<uint16_t>(result);
    else
        w.s[in.dst.index] = std::bit_cast<uint32_t>(result);
}
template<auto F>
consteval Opcode scalar_function(std::string_view name, int op12) {
    const OperandType type = operand_type<typename SignatureOf<F>::Result>();
    return plain_op(name, vop3, -1, op12, run_scalar_function<F>, Class::transcendental, type, {type}, kScalarDst);
}

void swap16(Wave& w, const Instruction& in) {
    const uint32_t a_shift = in.dst.high ? 16 : 0, b_shift = in.src[0].high ? 16 : 0;
    for_lanes(w.exec(), [&](uint32_t l) {
        uint32_t& a = w.v[in.dst.index][l];
        uint32_t& b = w.v[in.src[0].index][l];
        const uint32_t x = a >> a_shift & 0xffff, y = b >> b_shift & 0xffff;
        a = (a & ~(0xffffu << a_shift)) | y << a_shift;
        b = (b & ~(0xffffu << b_shift)) | x << b_shift;
    });
}

constexpr std::array<OperandType, 3> kTwo{kU32, kU32};

constexpr Opcode kRows[] = {
    plain_op("v_cndmask_b32", vop2, 1, 1, cndmask, Class::vector, kU32, {kF32, kF32}, kCarry),
    plain_op("v_cndmask_b16", vop3, 605, 605, cndmask_b16, Class::vector, kU16, {kU16, kU16, kU32}),
    plain_op("v_add_co_ci_u32", vop2, 32, 32,
             with_carry<[](uint64_t a, uint64_t b, uint64_t c) { return a + b + c; }, true>, Class::vector, kU32, kTwo,
             kCarry),
    plain_op("v_sub_co_ci_u32", vop2, 33, 33,
             with_carry<[](uint64_t a, uint64_t b, uint64_t c) { return a - b - c; }, true>, Class::vector, kU32, kTwo,
             kCarry),
    plain_op("v_subrev_co_ci_u32", vop2, 34, 34,
             with_carry<[](uint64_t a, uint64_t b, uint64_t c) { return b - a - c; }, true>, Class::vector, kU32, kTwo,
             kCarry),
    plain_op("v_add_co_u32", vop3, 768, 768, with_carry<[](uint64_t a, uint64_t b, uint64_t) { return a + b; }, false>,
             Class::vector, kU32, kTwo, kCarry),
    plain_op("v_sub_co_u32", vop3, 769, 769, with_carry<[](uint64_t a, uint64_t b, uint64_t) { return a - b; }, false>,
             Class::vector, kU32, kTwo, kCarry),
    plain_op("v_subrev_co_u32", vop3, 770, 770,
             with_carry<[](uint64_t a, uint64_t b, uint64_t) { return b - a; }, false>, Class::vector, kU32, kTwo,
             kCarry),
    plain_op("v_mad_u64_u32", vop3, 766, 766, multiply_add_64<[](uint32_t a, uint32_t b) { return uint64_t{a} * b; }>,
             Class::vector, kU64, {kU32, kU32, kU64}, kCarry),
    plain_op("v_mad_i64_i32", vop3, 767, 767, multiply_add_64<[](uint32_t a, uint32_t b) {
                 return static_cast<uint64_t>(int64_t{static_cast<int32_t>(a)} * static_cast<int32_t>(b));
             }>,
             Class::vector, kU64, {kU32, kU32, kU64}, kCarry),
    plain_op("v_readfirstlane_b32", vop1, 2, 2, readfirstlane, Class::vector, kU32, {kU32}, kScalarDst | kCrossLane),
    plain_op("v_readlane_b32", vop3, 864, 864, readlane, Class::vector, kU32, kTwo, kScalarDst | kCrossLane),
    plain_op("v_writelane_b32", vop3, 865, 865, writelane, Class::vector, kU32, kTwo, kKeepsDst | kCrossLane),
    plain_op("v_permlane16_b32", vop3, 603, 603, permlane16<0>, Class::vector, kU32, {kU32, kU32, kU32},
             kCrossLane | kOpSel),
    plain_op("v_permlanex16_b32", vop3, 604, 604, permlane16<16>, Class::vector, kU32, {kU32, kU32, kU32},
             kCrossLane | kOpSel),
    plain_op("v_permlane16_var_b32", vop3, -1, 783, permlane16_var<0>, Class::vector, kU32, kTwo, kCrossLane | kOpSel),
    plain_op("v_permlanex16_var_b32", vop3, -1, 784, permlane16_var<16>, Class::vector, kU32, kTwo,
             kCrossLane | kOpSel),
    plain_op("v_permlane64_b32", vop1, 103, 103, permlane64, Class::vector, kU32, {kU32}, kCrossLane),
    plain_op("v_mbcnt_lo_u32_b32", vop3, 799, 799, mbcnt<0>, Class::vector, kU32, kTwo),
    plain_op("v_mbcnt_hi_u32_b32", vop3, 800, 800, mbcnt<32>, Class::vector, kU32, kTwo),
    scalar_function<[](float a) { return std::exp2(a); }>("v_s_exp_f32", 640),
    scalar_function<[](Half a) { return static_cast<Half>(std::exp2(float{a})); }>("v_s_exp_f16", 641),
    scalar_function<[](float a) { return std::log2(a); }>("v_s_log_f32", 642),
    scalar_function<[](Half a) { return static_cast<Half>(std::log2(float{a})); }>("v_s_log_f16", 643),
    scalar_function<[](float a) { return 1.0f / a; }>("v_s_rcp_f32", 644),
    scalar_function<[](Half a) { return static_cast<Half>(1.0f / float{a}); }>("v_s_rcp_f16", 645),
    scalar_function<[](float a) { return 1.0f / std::sqrt(a); }>("v_s_rsq_f32", 646),
    scalar_function<[](Half a) { return static_cast<Half>(1.0f / std::sqrt(float{a})); }>("v_s_rsq_f16", 647),
    scalar_function<[](float a) { return std::sqrt(a); }>("v_s_sqrt_f32", 648),
    scalar_function<[](Half a) { return static_cast<Half>(std::sqrt(float{a})); }>("v_s_sqrt_f16", 649),
    plain_op("v_swap_b16", vop1, 102, 102, swap16, Class::vector, kU16, {kU16}),
    plain_op("v_swap_b32", vop1, 101, 101, swap, Class::vector, kU32, {kU32}),
};

} // namespace

std::span<const Opcode> lane_rows() {
    return kRows;
}

} // namespace vkinfer::rdna
