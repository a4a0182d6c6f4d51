// Scalar arithmetic, branches, waits and scalar loads.
#include "rdna/counters.h"
#include "rdna/lanes.h"
#include "rdna/tables.h"

#include <algorithm>
#include <limits>

namespace vkinfer::rdna {

namespace {

using enum Format;

void write_scalar(Wave& w, const Operand& dst, uint64_t value, size_t bytes) {
    if (dst.index == kNull) return;
    if (bytes == 8)
        w.set_pair(dst.index, value);
    else
        w.s[dst.index] = static_cast<uint32_t>(value);
}

template<class T>
uint64_t to_word(T value) {
    if constexpr (sizeof(T) == 8)
        return std::bit_cast<uint64_t>(value);
    else if constexpr (sizeof(T) == 4)
        return std::bit_cast<uint32_t>(value);
    else
        return std::bit_cast<uint16_t>(value);
}

// What a scalar instruction does to SCC.
enum class Scc { keep, nonzero, set };

/// F(a), F(a, b) or F(a, b, c); with Scc::set its last parameter is bool& scc.
template<auto F, Scc kScc>
void run_scalar(Wave& w, const Instruction& in) {
    using S = SignatureOf<F>;
    using R = typename S::Result;
    using A = typename S::template Arg<0>;
    using B = typename S::template Arg<1>;
    using C = typename S::template Arg<2>;
    constexpr size_t n = S::kCount - (kScc == Scc::set ? 1 : 0);
    const auto a = from_bits<A>(read_scalar_bits<A>(w, in.src[0]));
    bool scc = w.scc;
    R result;
    if constexpr (n == 1) {
        if constexpr (kScc == Scc::set)
            result = F(a, scc);
        else
            result = F(a);
    } else {
        const auto b = from_bits<B>(read_scalar_bits<B>(w, in.src[1]));
        if constexpr (n == 3)
            result = F(a, b, from_bits<C>(read_scalar_bits<C>(w, in.src[2])));
        else if constexpr (kScc == Scc::set)
            result = F(a, b, scc);
        else
            result = F(a, b);
    }
    write_scalar(w, in.dst, to_word(result), sizeof(R));
    if constexpr (kScc == Scc::nonzero) w.scc = result != 0;
    if constexpr (kScc == Scc::set) w.scc = scc;
}

template<auto F, Scc kScc>
consteval Opcode scalar(std::string_view name, Format format, int op11, int op12, uint16_t flags = 0) {
    using S = SignatureOf<F>;
    constexpr size_t n = S::kCount - (kScc == Scc::set ? 1 : 0);
    Opcode op{name, format, static_cast<int16_t>(op11), static_cast<int16_t>(op12), run_scalar<F, kScc>, Class::scalar};
    op.dst = operand_type<typename S::Result>();
    op.src[0] = operand_type<typename S::template Arg<0>>();
    if constexpr (n > 1) op.src[1] = operand_type<typename S::template Arg<1>>();
    if constexpr (n > 2) op.src[2] = operand_type<typename S::template Arg<2>>();
    op.flags = flags;
    return op;
}
template<auto F>
consteval Opcode keeps(std::string_view name, Format format, int op11, int op12, uint16_t flags = 0) {
    return scalar<F, Scc::keep>(name, format, op11, op12, flags);
}
template<auto F>
consteval Opcode nonzero(std::string_view name, Format format, int op) {
    return scalar<F, Scc::nonzero>(name, format, op, op);
}
template<auto F>
consteval Opcode sets(std::string_view name, Format format, int op) {
    return scalar<F, Scc::set>(name, format, op, op);
}

template<auto F>
void run_scalar_compare(Wave& w, const Instruction& in) {
    using S = SignatureOf<F>;
    using A = typename S::template Arg<0>;
    using B = typename S::template Arg<1>;
    w.scc = F(from_bits<A>(read_scalar_bits<A>(w, in.src[0])), from_bits<B>(read_scalar_bits<B>(w, in.src[1])));
}
template<auto F>
consteval Opcode compares(std::string_view name, int op) {
    using S = SignatureOf<F>;
    return plain_op(name, sopc, op, op, run_scalar_compare<F>, Class::scalar, {},
                    {operand_type<typename S::template Arg<0>>(), operand_type<typename S::template Arg<1>>()});
}

/// s_cmpk: the register against simm16, sign-extended or not.
template<auto F, class T>
void run_compare_k(Wave& w, const Instruction& in) {
    const uint32_t k = std::is_signed_v<T> ? static_cast<uint32_t>(in.imm) : static_cast<uint32_t>(in.imm) & 0xffff;
    w.scc = F(static_cast<T>(w.s[in.dst.index]), static_cast<T>(k));
}

/// s_<op>_saveexec: dst = EXEC, EXEC = F(source, EXEC).
template<auto F, bool k64>
void run_save_exec(Wave& w, const Instruction& in) {
    const uint64_t old = k64 ? w.pair(kExec) : w.s[kExec];
    const uint64_t source = k64 ? read_scalar_bits<uint64_t>(w, in.src[0]) : read_scalar(w, in.src[0]);
    const uint64_t made = k64 ? F(source, old) : F(source, old) & 0xffffffffull;
    write_scalar(w, in.dst, old, k64 ? 8 : 4);
    if (k64)
        w.set_pair(kExec, made);
    else
        w.s[kExec] = static_cast<uint32_t>(made);
    w.scc = made != 0;
}
template<auto F>
consteval Opcode save_exec_b32(std::string_view name, int op) {
    return plain_op(name, sop1, op, op, run_save_exec<F, false>, Class::scalar, kU32, {kU32});
}
template<auto F>
consteval Opcode save_exec_b64(std::string_view name, int op) {
    return plain_op(name, sop1, op, op, run_save_exec<F, true>, Class::scalar, kU64, {kU64});
}
/// s_<op>_wrexec: EXEC and dst = F(source, EXEC).
template<auto F, bool k64>
void run_write_exec(Wave& w, const Instruction& in) {
    const uint64_t old = k64 ? w.pair(kExec) : w.s[kExec];
    const uint64_t source = k64 ? read_scalar_bits<uint64_t>(w, in.src[0]) : read_scalar(w, in.src[0]);
    const uint64_t made = k64 ? F(source, old) : F(source, old) & 0xffffffffull;
    if (k64)
        w.set_pair(kExec, made);
    else
        w.s[kExec] = static_cast<uint32_t>(made);
    write_scalar(w, in.dst, made, k64 ? 8 : 4);
    w.scc = made != 0;
}

// Branches.
template<auto F>
void run_branch(Wave& w, const Instruction& in) {
    if (F(w)) w.next_pc = static_cast<uint32_t>(static_cast<int32_t>(w.next_pc) + in.imm);
}
template<auto F>
consteval Opcode branch(std::string_view name, int op) {
    return plain_op(name, sopp, op, op, run_branch<F>, Class::branch);
}

void run_nothing(Wave&, const Instruction&) {}
consteval Opcode hint(std::string_view name, int op11, int op12, Class cls = Class::other) {
    return plain_op(name, sopp, op11, op12, run_nothing, cls);
}

// Waits: of the operations counted by `counter`, all but the `left` youngest are complete.
void wait(Wave& w, Counter counter, uint32_t left) {
    const auto c = static_cast<size_t>(counter);
    // Scalar loads return in any order, so only a wait for all of them says anything.
    if (counter == Counter::scalar && left > 0) return;
    const uint32_t done = w.issued[c] > left ? w.issued[c] - left : 0;
    if (done <= w.completed[c]) return;
    w.completed[c] = done;
    if (w.group->timing) w.clock = std::max(w.clock, w.issued_at[c][done % 64] + w.group->timing->latency[c]);
}
template<Counter kCounter>
void run_wait(Wave& w, const Instruction& in) {
    wait(w, kCounter, static_cast<uint32_t>(in.imm) & 63);
}
template<Counter kCounter>
void run_wait_k(Wave& w, const Instruction& in) { // gfx11 SOPK: a register (null) plus simm16
    wait(w, kCounter, static_cast<uint32_t>(in.imm) & 63);
}
void run_waitcnt(Wave& w, const Instruction& in) {
    const auto imm = static_cast<uint32_t>(in.imm);
    const uint32_t lgkm = imm >> 4 & 63;
    wait(w, Counter::load, imm >> 10 & 63);
    wait(w, Counter::ds, lgkm);
    wait(w, Counter::scalar, lgkm);
}
void run_wait_lgkm(Wave& w, const Instruction& in) {
    wait(w, Counter::ds, static_cast<uint32_t>(in.imm) & 63);
    wait(w, Counter::scalar, static_cast<uint32_t>(in.imm) & 63);
}
void run_wait_idle(Wave& w, const Instruction&) {
    w.completed = w.issued;
}

// LDS serves the waves of a group in order, so ACO does not wait for LDS writes before a barrier.
void run_barrier(Wave& w, const Instruction&) {
    w.state = WaveState::barrier;
}
// Split barriers: the workgroup's own, number -1, alone.
void run_barrier_signal(Wave& w, const Instruction& in) {
    if (read_scalar(w, in.src[0]) != 0xffffffff) fault("a named barrier is not handled");
    if (w.signalled) fault("a second s_barrier_signal without s_barrier_wait");
    w.signalled = true;
}
void run_barrier_wait(Wave& w, const Instruction& in) {
    if (in.imm != -1) fault("a named barrier is not handled");
    if (!w.signalled) fault("s_barrier_wait without s_barrier_signal");
    w.signalled = false;
    w.state = WaveState::barrier;
}

/// Mode bits that matter here are rounding and denormals; ours never change within a kernel.
void run_set_mode(Wave&, const Instruction&) {
    fault("a change of the rounding or denormal mode is not handled");
}

// Scalar loads.
void load_scalar(Wave& w, const Instruction& in, uint64_t address, uint64_t room, uint32_t bytes, bool is_signed) {
    const uint32_t dwords = std::max(bytes / 4, 1u);
    if (bytes >= 4) address &= ~uint64_t{3};
    const auto c = static_cast<size_t>(Counter::scalar);
    const uint32_t sequence = ++w.issued[c];
    for (uint32_t i = 0; i < dwords; ++i) {
        uint32_t value = 0;
        const uint32_t n = std::min(bytes, 4u);
        if (4 * i + n <= room)
            std::memcpy(&value, w.group->memory->at(address + 4 * i, n, "scalar load"), n);
        else if (++w.group->reads_beyond; w.group->strict_reads)
            fault("scalar load at byte {} of a buffer that ends {} bytes behind it", 4 * i, room);
        if (n < 4 && is_signed)
            value = static_cast<uint32_t>(static_cast<int32_t>(value << (32 - 8 * n)) >> (32 - 8 * n));
        const uint32_t r = in.dst.index + i;
        if (r == kNull) continue;
        w.s[r] = value;
        w.s_pending[r] = sequence << 2 | static_cast<uint32_t>(Counter::scalar);
    }
    if (w.group->counters) w.group->counters->scalar_load(address, bytes);
}
template<uint32_t kBytes, bool kSigned = false>
void run_load(Wave& w, const Instruction& in) {
    const uint64_t address =
        w.pair(in.src[0].index) + static_cast<uint64_t>(int64_t{in.imm}) + read_scalar(w, in.src[1]);
    load_scalar(w, in, address, kBytes, kBytes, kSigned);
}
template<uint32_t kBytes, bool kSigned = false>
void run_buffer_load(Wave& w, const Instruction& in) {
    const uint32_t* v = &w.s[in.src[0].index];
    const uint64_t base = v[0] | uint64_t{v[1] & 0xffff} << 32;
    const uint64_t sign = base >> 47 & 1 ? 0xffff000000000000ull : 0;
    const uint64_t offset = static_cast<uint64_t>(int64_t{in.imm}) + read_scalar(w, in.src[1]);
    load_scalar(w, in, (base | sign) + offset, offset < v[2] ? v[2] - offset : 0, kBytes, kSigned);
}
template<uint32_t kBytes, bool kSigned = false>
consteval Opcode load(std::string_view name, int op11, int op12) {
    return plain_op(name, smem, op11, op12, run_load<kBytes, kSigned>, Class::scalar_memory, {kBytes}, {kU64, kU32});
}
template<uint32_t kBytes, bool kSigned = false>
consteval Opcode buffer_load(std::string_view name, int op11, int op12) {
    return plain_op(name, smem, op11, op12, run_buffer_load<kBytes, kSigned>, Class::scalar_memory, {kBytes},
                    {OperandType{16}, kU32});
}

/// SCC: the sum does not fit, of all bits that were shifted.
template<int kShift>
uint32_t shift_add(uint32_t a, uint32_t b, bool& scc) {
    const uint64_t sum = (uint64_t{a} << kShift) + b;
    scc = sum >> 32 != 0;
    return static_cast<uint32_t>(sum);
}

constexpr uint32_t field(uint32_t a, uint32_t control) {
    const uint32_t n = std::min(control >> 16 & 127, 32u), shifted = a >> (control & 31);
    return n == 32 ? shifted : shifted & ((1u << n) - 1);
}
constexpr uint64_t field64(uint64_t a, uint32_t control) {
    const uint32_t n = std::min(control >> 16 & 127, 64u);
    const uint64_t shifted = a >> (control & 63);
    return n == 64 ? shifted : shifted & ((uint64_t{1} << n) - 1);
}
template<class T>
constexpr T add_overflow(T a, T b, bool& scc) {
    T r;
    scc = __builtin_add_overflow(a, b, &r);
    return r;
}
template<class T>
constexpr T sub_overflow(T a, T b, bool& scc) {
    T r;
    scc = __builtin_sub_overflow(a, b, &r);
    return r;
}
float half_to_float(uint32_t x) {
    return static_cast<float>(std::bit_cast<Half>(static_cast<uint16_t>(x)));
}
uint32_t float_to_half(float x) {
    return std::bit_cast<uint16_t>(static_cast<Half>(x));
}
template<class T>
T clamp_to(float x) {
    if (x != x) return 0;
    if (x <= static_cast<float>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
    if (x >= static_cast<float>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
    return static_cast<T>(x);
}

constexpr Opcode kRows[] = {
    // SOP2
    sets<[](uint32_t a, uint32_t b, bool& scc) { return add_overflow(a, b, scc); }>("s_add_u32", sop2, 0),
    sets<[](uint32_t a, uint32_t b, bool& scc) { return sub_overflow(a, b, scc); }>("s_sub_u32", sop2, 1),
    sets<[](int32_t a, int32_t b, bool& scc) { return add_overflow(a, b, scc); }>("s_add_i32", sop2, 2),
    sets<[](int32_t a, int32_t b, bool& scc) { return sub_overflow(a, b, scc); }>("s_sub_i32", sop2, 3),
    sets<[](uint32_t a, uint32_t b, bool& scc) {
        const uint64_t r = uint64_t{a} + b + scc;
        scc = (r >> 32) != 0;
        return static_cast<uint32_t>(r);
    }>("s_addc_u32", sop2, 4),
    sets<[](uint32_t a, uint32_t b, bool& scc) {
        const uint64_t r = uint64_t{a} - b - scc;
        scc = (r >> 32) != 0;
        return static_cast<uint32_t>(r);
    }>("s_subb_u32", sop2, 5),
    nonzero<[](uint32_t a, uint32_t b) { return (int32_t(a - b) < 0 ? b - a : a - b); }>("s_absdiff_i32", sop2, 6),
    nonzero<[](uint32_t a, uint32_t b) { return a << (b & 31); }>("s_lshl_b32", sop2, 8),
    nonzero<[](uint64_t a, uint32_t b) { return a << (b & 63); }>("s_lshl_b64", sop2, 9),
    nonzero<[](uint32_t a, uint32_t b) { return (a >> (b & 31)); }>("s_lshr_b32", sop2, 10),
    nonzero<[](uint64_t a, uint32_t b) { return (a >> (b & 63)); }>("s_lshr_b64", sop2, 11),
    nonzero<[](int32_t a, uint32_t b) { return (a >> (b & 31)); }>("s_ashr_i32", sop2, 12),
    nonzero<[](int64_t a, uint32_t b) { return (a >> (b & 63)); }>("s_ashr_i64", sop2, 13),
    sets<[](uint32_t a, uint32_t b, bool& scc) { return shift_add<1>(a, b, scc); }>("s_lshl1_add_u32", sop2, 14),
    sets<[](uint32_t a, uint32_t b, bool& scc) { return shift_add<2>(a, b, scc); }>("s_lshl2_add_u32", sop2, 15),
    sets<[](uint32_t a, uint32_t b, bool& scc) { return shift_add<3>(a, b, scc); }>("s_lshl3_add_u32", sop2, 16),
    sets<[](uint32_t a, uint32_t b, bool& scc) { return shift_add<4>(a, b, scc); }>("s_lshl4_add_u32", sop2, 17),
    sets<[](int32_t a, int32_t b, bool& scc) { return (scc = a < b) ? a : b; }>("s_min_i32", sop2, 18),
    sets<[](uint32_t a, uint32_t b, bool& scc) { return (scc = a < b) ? a : b; }>("s_min_u32", sop2, 19),
    sets<[](int32_t a, int32_t b, bool& scc) { return (scc = a >= b) ? a : b; }>("s_max_i32", sop2, 20),
    sets<[](uint32_t a, uint32_t b, bool& scc) { return (scc = a >= b) ? a : b; }>("s_max_u32", sop2, 21),
    nonzero<[](uint32_t a, uint32_t b) { return a & b; }>("s_and_b32", sop2, 22),
    nonzero<[](uint64_t a, uint64_t b) { return a & b; }>("s_and_b64", sop2, 23),
    nonzero<[](uint32_t a, uint32_t b) { return a | b; }>("s_or_b32", sop2, 24),
    nonzero<[](uint64_t a, uint64_t b) { return a | b; }>("s_or_b64", sop2, 25),
    nonzero<[](uint32_t a, uint32_t b) { return a ^ b; }>("s_xor_b32", sop2, 26),
    nonzero<[](uint64_t a, uint64_t b) { return a ^ b; }>("s_xor_b64", sop2, 27),
    nonzero<[](uint32_t a, uint32_t b) { return ~(a & b); }>("s_nand_b32", sop2, 28),
    nonzero<[](uint64_t a, uint64_t b) { return ~(a & b); }>("s_nand_b64", sop2, 29),
    nonzero<[](uint32_t a, uint32_t b) { return ~(a | b); }>("s_nor_b32", sop2, 30),
    nonzero<[](uint64_t a, uint64_t b) { return ~(a | b); }>("s_nor_b64", sop2, 31),
    nonzero<[](uint32_t a, uint32_t b) { return ~(a ^ b); }>("s_xnor_b32", sop2, 32),
    nonzero<[](uint64_t a, uint64_t b) { return ~(a ^ b); }>("s_xnor_b64", sop2, 33),
    nonzero<[](uint32_t a, uint32_t b) { return a & ~b; }>("s_and_not1_b32", sop2, 34),
    nonzero<[](uint64_t a, uint64_t b) { return a & ~b; }>("s_and_not1_b64", sop2, 35),
    nonzero<[](uint32_t a, uint32_t b) { return a | ~b; }>("s_or_not1_b32", sop2, 36),
    nonzero<[](uint64_t a, uint64_t b) { return a | ~b; }>("s_or_not1_b64", sop2, 37),
    nonzero<[](uint32_t a, uint32_t b) { return field(a, b); }>("s_bfe_u32", sop2, 38),
    nonzero<[](uint32_t a, uint32_t b) {
        const uint32_t n = std::min(b >> 16 & 127, 32u);
        return n == 0 ? 0 : (int32_t(uint32_t(int32_t(a) >> (b & 31)) << (32 - n)) >> (32 - n));
    }>("s_bfe_i32", sop2, 39),
    nonzero<[](uint64_t a, uint32_t b) { return field64(a, b); }>("s_bfe_u64", sop2, 40),
    keeps<[](uint32_t a, uint32_t b) { return ((1u << (a & 31)) - 1) << (b & 31); }>("s_bfm_b32", sop2, 42, 42),
    keeps<[](uint32_t a, uint32_t b) { return ((uint64_t{1} << (a & 63)) - 1) << (b & 63); }>("s_bfm_b64", sop2, 43, 43),
    keeps<[](uint32_t a, uint32_t b) { return a * b; }>("s_mul_i32", sop2, 44, 44),
    keeps<[](uint32_t a, uint32_t b) { return uint32_t(uint64_t{a} * b >> 32); }>("s_mul_hi_u32", sop2, 45, 45),
    keeps<[](int32_t a, int32_t b) { return uint32_t(int64_t{a} * b >> 32); }>("s_mul_hi_i32", sop2, 46, 46),
    sets<[](uint32_t a, uint32_t b, bool& scc) { return scc ? a : b; }>("s_cselect_b32", sop2, 48),
    sets<[](uint64_t a, uint64_t b, bool& scc) { return scc ? a : b; }>("s_cselect_b64", sop2, 49),
    keeps<[](uint32_t a, uint32_t b) { return (a & 0xffff) | b << 16; }>("s_pack_ll_b32_b16", sop2, 50, 50),
    keeps<[](uint32_t a, uint32_t b) { return (a & 0xffff) | (b & 0xffff0000); }>("s_pack_lh_b32_b16", sop2, 51, 51),
    keeps<[](uint32_t a, uint32_t b) { return (a >> 16 | (b & 0xffff0000)); }>("s_pack_hh_b32_b16", sop2, 52, 52),
    keeps<[](uint32_t a, uint32_t b) { return (a >> 16 | b << 16); }>("s_pack_hl_b32_b16", sop2, 53, 53),
    keeps<[](float a, float b) { return a + b; }>("s_add_f32", sop2, 64, 64),
    keeps<[](float a, float b) { return a - b; }>("s_sub_f32", sop2, 65, 65),
    keeps<[](float a, float b) { return a < b || b != b ? a : b; }>("s_min_f32", sop2, 66, 66),
    keeps<[](float a, float b) { return (a > b || b != b ? a : b); }>("s_max_f32", sop2, 67, 67),
    keeps<[](float a, float b) { return a * b; }>("s_mul_f32", sop2, 68, 68),
    keeps<[](float a, float b, float c) { return std::fma(a, b, c); }>("s_fmaak_f32", sop2, 69, 69, kLiteralA),
    keeps<[](float a, float b, float c) { return std::fma(a, b, c); }>("s_fmamk_f32", sop2, 70, 70, kLiteralK),
    keeps<[](float a, float b, float c) { return std::fma(a, b, c); }>("s_fmac_f32", sop2, 71, 71, kAccumulate),
    keeps<[](float a, float b) { return to_half_rtz(a) | to_half_rtz(b) << 16; }>("s_cvt_pk_rtz_f16_f32", sop2, 72, 72),
    keeps<[](Half a, Half b) { return static_cast<Half>(a + b); }>("s_add_f16", sop2, 73, 73),
    keeps<[](Half a, Half b) { return static_cast<Half>(a - b); }>("s_sub_f16", sop2, 74, 74),
    keeps<[](Half a, Half b) { return static_cast<Half>(a * b); }>("s_mul_f16", sop2, 77, 77),
    keeps<[](uint64_t a, uint64_t b) { return a + b; }>("s_add_nc_u64", sop2, -1, 83),
    keeps<[](uint64_t a, uint64_t b) { return a - b; }>("s_sub_nc_u64", sop2, -1, 84),
    keeps<[](uint64_t a, uint64_t b) { return a * b; }>("s_mul_u64", sop2, -1, 85),

    // SOP1
    keeps<[](uint32_t a) { return a; }>("s_mov_b32", sop1, 0, 0),
    keeps<[](uint64_t a) { return a; }>("s_mov_b64", sop1, 1, 1),
    plain_op("s_cmov_b32", sop1, 2, 2, [](Wave& w, const Instruction& in) {
        if (w.scc) write_scalar(w, in.dst, read_scalar(w, in.src[0]), 4);
    }, Class::scalar, kU32, {kU32}),
    keeps<[](uint32_t a) {
        uint32_t r = 0;
        for (int i = 0; i < 32; ++i) r |= (a >> i & 1) << (31 - i);
        return r;
    }>("s_brev_b32", sop1, 4, 4),
    keeps<[](uint64_t a) {
        uint64_t r = 0;
        for (int i = 0; i < 64; ++i) r |= (a >> i & 1) << (63 - i);
        return r;
    }>("s_brev_b64", sop1, 5, 5),
    keeps<[](uint32_t a) { return a == 0 ? -1 : std::countr_zero(a); }>("s_ctz_i32_b32", sop1, 8, 8),
    keeps<[](uint64_t a) { return a == 0 ? -1 : std::countr_zero(a); }>("s_ctz_i32_b64", sop1, 9, 9),
    keeps<[](uint32_t a) { return a == 0 ? -1 : std::countl_zero(a); }>("s_clz_i32_u32", sop1, 10, 10),
    keeps<[](uint64_t a) { return a == 0 ? -1 : std::countl_zero(a); }>("s_clz_i32_u64", sop1, 11, 11),
    keeps<[](uint32_t a) { return int32_t(int8_t(a)); }>("s_sext_i32_i8", sop1, 14, 14),
    keeps<[](uint32_t a) { return int32_t(int16_t(a)); }>("s_sext_i32_i16", sop1, 15, 15),
    plain_op("s_bitset0_b32", sop1, 16, 16, [](Wave& w, const Instruction& in) {
        w.s[in.dst.index] &= ~(1u << (read_scalar(w, in.src[0]) & 31));
    }, Class::scalar, kU32, {kU32}),
    plain_op("s_bitset1_b32", sop1, 18, 18, [](Wave& w, const Instruction& in) {
        w.s[in.dst.index] |= 1u << (read_scalar(w, in.src[0]) & 31);
    }, Class::scalar, kU32, {kU32}),
    keeps<[](uint32_t a) {
        uint64_t r = 0;
        for (int i = 0; i < 32; ++i) r |= uint64_t((a >> i) & 1) * 3 << 2 * i;
        return r;
    }>("s_bitreplicate_b64_b32", sop1, 20, 20),
    nonzero<[](uint32_t a) { return int32_t(a) < 0 ? 0 - a : a; }>("s_abs_i32", sop1, 21),
    nonzero<[](uint32_t a) { return 32 - std::popcount(a); }>("s_bcnt0_i32_b32", sop1, 22),
    nonzero<[](uint32_t a) { return std::popcount(a); }>("s_bcnt1_i32_b32", sop1, 24),
    nonzero<[](uint64_t a) { return std::popcount(a); }>("s_bcnt1_i32_b64", sop1, 25),
    nonzero<[](uint32_t a) { return ~a; }>("s_not_b32", sop1, 30),
    nonzero<[](uint64_t a) { return ~a; }>("s_not_b64", sop1, 31),
    save_exec_b32<[](uint64_t a, uint64_t e) { return a & e; }>("s_and_saveexec_b32", 32),
    save_exec_b64<[](uint64_t a, uint64_t e) { return a & e; }>("s_and_saveexec_b64", 33),
    save_exec_b32<[](uint64_t a, uint64_t e) { return a | e; }>("s_or_saveexec_b32", 34),
    save_exec_b64<[](uint64_t a, uint64_t e) { return a | e; }>("s_or_saveexec_b64", 35),
    save_exec_b32<[](uint64_t a, uint64_t e) { return a ^ e; }>("s_xor_saveexec_b32", 36),
    save_exec_b64<[](uint64_t a, uint64_t e) { return a ^ e; }>("s_xor_saveexec_b64", 37),
    save_exec_b32<[](uint64_t a, uint64_t e) { return ~a & e; }>("s_and_not0_saveexec_b32", 44),
    save_exec_b64<[](uint64_t a, uint64_t e) { return ~a & e; }>("s_and_not0_saveexec_b64", 45),
    save_exec_b32<[](uint64_t a, uint64_t e) { return a & ~e; }>("s_and_not1_saveexec_b32", 48),
    save_exec_b64<[](uint64_t a, uint64_t e) { return a & ~e; }>("s_and_not1_saveexec_b64", 49),
    plain_op("s_and_not0_wrexec_b32", sop1, 52, 52, run_write_exec<[](uint64_t a, uint64_t e) { return ~a & e; }, false>, Class::scalar, kU32, {kU32}),
    plain_op("s_and_not0_wrexec_b64", sop1, 53, 53, run_write_exec<[](uint64_t a, uint64_t e) { return ~a & e; }, true>, Class::scalar, kU64, {kU64}),
    plain_op("s_and_not1_wrexec_b32", sop1, 54, 54, run_write_exec<[](uint64_t a, uint64_t e) { return a & ~e; }, false>, Class::scalar, kU32, {kU32}),
    plain_op("s_and_not1_wrexec_b64", sop1, 55, 55, run_write_exec<[](uint64_t a, uint64_t e) { return a & ~e; }, true>, Class::scalar, kU64, {kU64}),
    plain_op("s_getpc_b64", sop1, 71, 71, [](Wave& w, const Instruction& in) {
        w.set_pair(in.dst.index, w.code_address + uint64_t{w.next_pc} * 4);
    }, Class::scalar, kU64),
    plain_op("s_setpc_b64", sop1, 72, 72, [](Wave& w, const Instruction& in) {
        w.next_pc = static_cast<uint32_t>((w.pair(in.src[0].index) - w.code_address) / 4);
    }, Class::branch, {}, {kU64}),
    plain_op("s_swappc_b64", sop1, 73, 73, [](Wave& w, const Instruction& in) {
        const uint64_t target = w.pair(in.src[0].index);
        w.set_pair(in.dst.index, w.code_address + uint64_t{w.next_pc} * 4);
        w.next_pc = static_cast<uint32_t>((target - w.code_address) / 4);
    }, Class::branch, kU64, {kU64}),
    plain_op("s_barrier_signal", sop1, -1, 78, run_barrier_signal, Class::barrier),
    keeps<[](float a) { return std::ceil(a); }>("s_ceil_f32", sop1, 96, 96),
    keeps<[](float a) { return std::floor(a); }>("s_floor_f32", sop1, 97, 97),
    keeps<[](float a) { return std::trunc(a); }>("s_trunc_f32", sop1, 98, 98),
    keeps<[](float a) { return std::nearbyint(a); }>("s_rndne_f32", sop1, 99, 99),
    keeps<[](int32_t a) { return static_cast<float>(a); }>("s_cvt_f32_i32", sop1, 100, 100),
    keeps<[](uint32_t a) { return static_cast<float>(a); }>("s_cvt_f32_u32", sop1, 101, 101),
    keeps<[](float a) { return clamp_to<int32_t>(a); }>("s_cvt_i32_f32", sop1, 102, 102),
    keeps<[](float a) { return clamp_to<uint32_t>(a); }>("s_cvt_u32_f32", sop1, 103, 103),
    keeps<[](float a) { return float_to_half(a); }>("s_cvt_f16_f32", sop1, 104, 104),
    keeps<[](uint32_t a) { return half_to_float(a); }>("s_cvt_f32_f16", sop1, 105, 105),
    keeps<[](uint32_t a) { return half_to_float(a >> 16); }>("s_cvt_hi_f32_f16", sop1, 106, 106),

    // SOPC
    compares<[](int32_t a, int32_t b) { return a == b; }>("s_cmp_eq_i32", 0),
    compares<[](int32_t a, int32_t b) { return a != b; }>("s_cmp_lg_i32", 1),
    compares<[](int32_t a, int32_t b) { return (a > b); }>("s_cmp_gt_i32", 2),
    compares<[](int32_t a, int32_t b) { return (a >= b); }>("s_cmp_ge_i32", 3),
    compares<[](int32_t a, int32_t b) { return a < b; }>("s_cmp_lt_i32", 4),
    compares<[](int32_t a, int32_t b) { return a <= b; }>("s_cmp_le_i32", 5),
    compares<[](uint32_t a, uint32_t b) { return a == b; }>("s_cmp_eq_u32", 6),
    compares<[](uint32_t a, uint32_t b) { return a != b; }>("s_cmp_lg_u32", 7),
    compares<[](uint32_t a, uint32_t b) { return (a > b); }>("s_cmp_gt_u32", 8),
    compares<[](uint32_t a, uint32_t b) { return (a >= b); }>("s_cmp_ge_u32", 9),
    compares<[](uint32_t a, uint32_t b) { return a < b; }>("s_cmp_lt_u32", 10),
    compares<[](uint32_t a, uint32_t b) { return a <= b; }>("s_cmp_le_u32", 11),
    compares<[](uint32_t a, uint32_t b) { return (a >> (b & 31) & 1) == 0; }>("s_bitcmp0_b32", 12),
    compares<[](uint32_t a, uint32_t b) { return (a >> (b & 31) & 1) == 1; }>("s_bitcmp1_b32", 13),
    compares<[](uint64_t a, uint32_t b) { return (a >> (b & 63) & 1) == 0; }>("s_bitcmp0_b64", 14),
    compares<[](uint64_t a, uint32_t b) { return (a >> (b & 63) & 1) == 1; }>("s_bitcmp1_b64", 15),
    compares<[](uint64_t a, uint64_t b) { return a == b; }>("s_cmp_eq_u64", 16),
    compares<[](uint64_t a, uint64_t b) { return a != b; }>("s_cmp_lg_u64", 17),
    compares<[](float a, float b) { return a < b; }>("s_cmp_lt_f32", 65),
    compares<[](float a, float b) { return a == b; }>("s_cmp_eq_f32", 66),
    compares<[](float a, float b) { return a <= b; }>("s_cmp_le_f32", 67),
    compares<[](float a, float b) { return (a > b); }>("s_cmp_gt_f32", 68),
    compares<[](float a, float b) { return (a < b || a > b); }>("s_cmp_lg_f32", 69),
    compares<[](float a, float b) { return (a >= b); }>("s_cmp_ge_f32", 70),
    compares<[](float a, float b) { return !(a >= b); }>("s_cmp_nge_f32", 73),
    compares<[](float a, float b) { return !(a > b); }>("s_cmp_ngt_f32", 75),
    compares<[](float a, float b) { return !(a <= b); }>("s_cmp_nle_f32", 76),
    compares<[](float a, float b) { return a != b; }>("s_cmp_neq_f32", 77),
    compares<[](float a, float b) { return !(a < b); }>("s_cmp_nlt_f32", 78),

    // SOPK
    plain_op("s_movk_i32", sopk, 0, 0, [](Wave& w, const Instruction& in) {
        write_scalar(w, in.dst, static_cast<uint32_t>(in.imm), 4);
    }, Class::scalar, kU32),
    plain_op("s_cmovk_i32", sopk, 2, 2, [](Wave& w, const Instruction& in) {
        if (w.scc) write_scalar(w, in.dst, static_cast<uint32_t>(in.imm), 4);
    }, Class::scalar, kU32),
    plain_op("s_cmpk_eq_i32", sopk, 3, -1, run_compare_k<[](int32_t a, int32_t b) { return a == b; }, int32_t>, Class::scalar),
    plain_op("s_cmpk_lg_i32", sopk, 4, -1, run_compare_k<[](int32_t a, int32_t b) { return a != b; }, int32_t>, Class::scalar),
    plain_op("s_cmpk_gt_i32", sopk, 5, -1, run_compare_k<[](int32_t a, int32_t b) { return (a > b); }, int32_t>, Class::scalar),
    plain_op("s_cmpk_ge_i32", sopk, 6, -1, run_compare_k<[](int32_t a, int32_t b) { return (a >= b); }, int32_t>, Class::scalar),
    plain_op("s_cmpk_lt_i32", sopk, 7, -1, run_compare_k<[](int32_t a, int32_t b) { return a < b; }, int32_t>, Class::scalar),
    plain_op("s_cmpk_le_i32", sopk, 8, -1, run_compare_k<[](int32_t a, int32_t b) { return a <= b; }, int32_t>, Class::scalar),
    plain_op("s_cmpk_eq_u32", sopk, 9, -1, run_compare_k<[](uint32_t a, uint32_t b) { return a == b; }, uint32_t>, Class::scalar),
    plain_op("s_cmpk_lg_u32", sopk, 10, -1, run_compare_k<[](uint32_t a, uint32_t b) { return a != b; }, uint32_t>, Class::scalar),
    plain_op("s_cmpk_gt_u32", sopk, 11, -1, run_compare_k<[](uint32_t a, uint32_t b) { return (a > b); }, uint32_t>, Class::scalar),
    plain_op("s_cmpk_ge_u32", sopk, 12, -1, run_compare_k<[](uint32_t a, uint32_t b) { return (a >= b); }, uint32_t>, Class::scalar),
    plain_op("s_cmpk_lt_u32", sopk, 13, -1, run_compare_k<[](uint32_t a, uint32_t b) { return a < b; }, uint32_t>, Class::scalar),
    plain_op("s_cmpk_le_u32", sopk, 14, -1, run_compare_k<[](uint32_t a, uint32_t b) { return a <= b; }, uint32_t>, Class::scalar),
    plain_op("s_addk_i32", sopk, 15, 15, [](Wave& w, const Instruction& in) {
        int32_t r = 0;
        w.scc = __builtin_add_overflow(static_cast<int32_t>(w.s[in.dst.index]), in.imm, &r);
        w.s[in.dst.index] = static_cast<uint32_t>(r);
    }, Class::scalar, kU32),
    plain_op("s_mulk_i32", sopk, 16, 16, [](Wave& w, const Instruction& in) {
        w.s[in.dst.index] *= static_cast<uint32_t>(in.imm);
    }, Class::scalar, kU32),
    plain_op("s_setreg_b32", sopk, 18, 18, run_set_mode, Class::scalar),
    plain_op("s_waitcnt_vscnt", sopk, 24, -1, run_wait_k<Counter::store>, Class::wait),
    plain_op("s_waitcnt_vmcnt", sopk, 25, -1, run_wait_k<Counter::load>, Class::wait),
    plain_op("s_waitcnt_expcnt", sopk, 26, -1, run_nothing, Class::wait),
    plain_op("s_waitcnt_lgkmcnt", sopk, 27, -1, run_wait_lgkm, Class::wait),

    // SOPP
    hint("s_nop", 0, 0),
    hint("s_sleep", 3, 3),
    hint("s_set_inst_prefetch_distance", 4, -1),
    hint("s_clause", 5, 5),
    hint("s_delay_alu", 7, 7, Class::wait),
    hint("s_wait_alu", 8, 8, Class::wait),
    plain_op("s_waitcnt", sopp, 9, 9, run_waitcnt, Class::wait),
    plain_op("s_wait_idle", sopp, 10, 10, run_wait_idle, Class::wait),
    plain_op("s_round_mode", sopp, 17, 17, run_set_mode, Class::other),
    plain_op("s_denorm_mode", sopp, 18, 18, run_set_mode, Class::other),
    hint("s_singleuse_vdst", 19, 19),
    plain_op("s_barrier_wait", sopp, -1, 20, run_barrier_wait, Class::barrier),
    branch<[](const Wave&) { return true; }>("s_branch", 32),
    branch<[](const Wave& w) { return !w.scc; }>("s_cbranch_scc0", 33),
    branch<[](const Wave& w) { return w.scc; }>("s_cbranch_scc1", 34),
    branch<[](const Wave& w) { return w.mask(kVcc) == 0; }>("s_cbranch_vccz", 35),
    branch<[](const Wave& w) { return w.mask(kVcc) != 0; }>("s_cbranch_vccnz", 36),
    branch<[](const Wave& w) { return w.exec() == 0; }>("s_cbranch_execz", 37),
    branch<[](const Wave& w) { return w.exec() != 0; }>("s_cbranch_execnz", 38),
    plain_op("s_endpgm", sopp, 48, 48, [](Wave& w, const Instruction&) { w.state = WaveState::done; }, Class::branch),
    hint("s_setprio", 53, 53),
    hint("s_sendmsg", 54, 54),
    plain_op("s_barrier", sopp, 61, -1, run_barrier, Class::barrier),
    plain_op("s_wait_loadcnt", sopp, -1, 64, run_wait<Counter::load>, Class::wait),
    plain_op("s_wait_storecnt", sopp, -1, 65, run_wait<Counter::store>, Class::wait),
    hint("s_wait_samplecnt", -1, 66, Class::wait),
    hint("s_wait_bvhcnt", -1, 67, Class::wait),
    hint("s_wait_expcnt", -1, 68, Class::wait),
    plain_op("s_wait_dscnt", sopp, -1, 70, run_wait<Counter::ds>, Class::wait),
    plain_op("s_wait_kmcnt", sopp, -1, 71, run_wait<Counter::scalar>, Class::wait),
    plain_op("s_wait_loadcnt_dscnt", sopp, -1, 72, [](Wave& w, const Instruction& in) {
        wait(w, Counter::load, static_cast<uint32_t>(in.imm) >> 8 & 63);
        wait(w, Counter::ds, static_cast<uint32_t>(in.imm) & 63);
    }, Class::wait),
    plain_op("s_wait_storecnt_dscnt", sopp, -1, 73, [](Wave& w, const Instruction& in) {
        wait(w, Counter::store, static_cast<uint32_t>(in.imm) >> 8 & 63);
        wait(w, Counter::ds, static_cast<uint32_t>(in.imm) & 63);
    }, Class::wait),

    // SMEM
    load<4>("s_load_b32", 0, 0), load<8>("s_load_b64", 1, 1), load<12>("s_load_b96", -1, 5),
    load<16>("s_load_b128", 2, 2), load<32>("s_load_b256", 3, 3), load<64>("s_load_b512", 4, 4),
    load<1, true>("s_load_i8", -1, 8), load<1>("s_load_u8", -1, 9),
    load<2, true>("s_load_i16", -1, 10), load<2>("s_load_u16", -1, 11),
    buffer_load<4>("s_buffer_load_b32", 8, 16), buffer_load<8>("s_buffer_load_b64", 9, 17),
    buffer_load<12>("s_buffer_load_b96", -1, 21), buffer_load<16>("s_buffer_load_b128", 10, 18),
    buffer_load<32>("s_buffer_load_b256", 11, 19), buffer_load<64>("s_buffer_load_b512", 12, 20),
    buffer_load<1, true>("s_buffer_load_i8", -1, 24), buffer_load<1>("s_buffer_load_u8", -1, 25),
    buffer_load<2, true>("s_buffer_load_i16", -1, 26), buffer_load<2>("s_buffer_load_u16", -1, 27),
    plain_op("s_dcache_inv", smem, 33, 33, run_nothing, Class::other),
    plain_op("s_gl1_inv", smem, 32, -1, run_nothing, Class::other),
    plain_op("s_prefetch_inst", smem, -1, 36, run_nothing, Class::other),
    plain_op("s_prefetch_inst_pc_rel", smem, -1, 37, run_nothing, Class::other),
    plain_op("s_prefetch_data", smem, -1, 38, run_nothing, Class::other),
    plain_op("s_buffer_prefetch_data", smem, -1, 39, run_nothing, Class::other),
    plain_op("s_prefetch_data_pc_rel", smem, -1, 40, run_nothing, Class::other),
};

} // namespace

std::span<const Opcode> scalar_rows() {
    return kRows;
}

} // namespace vkinfer::rdna
