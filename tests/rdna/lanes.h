// From a lambda over one lane to an opcode: operands are fetched for all lanes, the function is applied, and the result
// is written where EXEC allows it. The lambda's parameter types say how registers are read (f32, half of a register,
// register pair); modifiers, DPP and constants are handled here, once.
#pragma once

#include "rdna/checks.h"
#include "rdna/wave.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace vkinfer::rdna {

using Half = _Float16;
using Lanes = uint32_t[64];

template<class T>
inline constexpr bool kIsFloat = std::is_same_v<T, float> || std::is_same_v<T, Half> || std::is_same_v<T, double>;

template<class T>
consteval OperandType operand_type() {
    return {sizeof(T), kIsFloat<T>};
}

template<class F>
struct Signature;
template<class R, class... A>
struct Signature<R (*)(A...)> {
    using Result = R;
    static constexpr size_t kCount = sizeof...(A);
    template<size_t I>
    using Arg = std::tuple_element_t<I, std::tuple<A..., void, void, void>>;
};
template<auto F>
using SignatureOf = Signature<decltype(+F)>;

/// The bits of a constant as an operand of this type.
template<class T>
uint64_t constant_bits(const Operand& operand) {
    if constexpr (std::is_same_v<T, Half>) {
        if (operand.is_float) return std::bit_cast<uint16_t>(static_cast<Half>(std::bit_cast<float>(operand.value)));
    } else if constexpr (std::is_same_v<T, double>) {
        if (operand.is_float) return std::bit_cast<uint64_t>(static_cast<double>(std::bit_cast<float>(operand.value)));
        if (operand.kind == OperandKind::literal) return uint64_t{operand.value} << 32;
    } else if constexpr (sizeof(T) == 8) {
        if (operand.is_float) return std::bit_cast<uint64_t>(static_cast<double>(std::bit_cast<float>(operand.value)));
        if (operand.kind != OperandKind::literal || std::is_signed_v<T>)
            return static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(operand.value)));
    }
    return operand.value;
}

/// Puts a loaded value of one to four bytes into a register: the sign extended, or only one half of the register
/// written.
inline void put_narrow(uint32_t& to, uint32_t value, const MemoryShape& shape) {
    if (shape.is_signed) {
        const int shift = 32 - 8 * shape.bytes;
        value = static_cast<uint32_t>(static_cast<int32_t>(value << shift) >> shift);
    }
    if (!shape.d16)
        to = value;
    else if (shape.high)
        to = (to & 0xffff) | value << 16;
    else
        to = (to & 0xffff0000) | (value & 0xffff);
}

/// gfx12: the row of C, or k of A and B, that element e of lane group `group` (16 lanes) holds. In waves of 64 the
/// groups hold rows 0-3, 8-11, 4-7, 12-15.
inline uint32_t fragment_row(uint32_t lanes, uint32_t group, uint32_t e) {
    constexpr uint32_t kOrder[] = {0, 2, 1, 3};
    return lanes == 32 ? 8 * group + e : 4 * kOrder[group] + e;
}

inline uint32_t read_scalar(const Wave& w, const Operand& operand) {
    if (operand.kind != OperandKind::sgpr) return operand.value;
    if (operand.index == kNull) return 0;
    if (operand.index == kScc) return w.scc;
    return w.s[operand.index];
}

template<class T>
uint64_t read_scalar_bits(const Wave& w, const Operand& operand) {
    if (operand.kind != OperandKind::sgpr) return constant_bits<T>(operand);
    if (operand.index == kNull) return 0;
    if (operand.index == kScc) return w.scc;
    if constexpr (sizeof(T) == 8)
        return w.pair(operand.index);
    else
        return operand.high ? w.s[operand.index] >> 16 : w.s[operand.index];
}

template<class T>
T from_bits(uint64_t bits) {
    if constexpr (sizeof(T) == 8)
        return std::bit_cast<T>(bits);
    else if constexpr (sizeof(T) == 4)
        return std::bit_cast<T>(static_cast<uint32_t>(bits));
    else
        return std::bit_cast<T>(static_cast<uint16_t>(bits));
}

/// To f16, towards zero: the bits.
inline uint32_t to_half_rtz(float x) {
    if (x != x) return 0x7e00;
    auto h = static_cast<Half>(x);
    if (std::abs(static_cast<float>(h)) > std::abs(x))
        h = std::bit_cast<Half>(static_cast<uint16_t>(std::bit_cast<uint16_t>(h) - 1));
    return std::bit_cast<uint16_t>(h);
}

/// The lanes of a source: plain registers are read in place, anything else is built in `buffer`.
struct Source {
    const uint32_t* low = nullptr;
    const uint32_t* high = nullptr; ///< of 64-bit operands
    Lanes buffer[2];

    template<class T>
    T get(uint32_t lane) const {
        if constexpr (sizeof(T) == 8)
            return std::bit_cast<T>(low[lane] | uint64_t{high[lane]} << 32);
        else if constexpr (sizeof(T) == 4)
            return std::bit_cast<T>(low[lane]);
        else
            return std::bit_cast<T>(static_cast<uint16_t>(low[lane]));
    }
};

template<class T>
void fetch(const Wave& w, const Operand& operand, Source& source) {
    if (operand.kind == OperandKind::vgpr) {
        source.low = w.v[operand.index];
        if constexpr (sizeof(T) == 8) source.high = w.v[operand.index + 1];
    } else {
        const uint64_t bits = read_scalar_bits<T>(w, operand);
        for (uint32_t l = 0; l < 64; ++l) source.buffer[0][l] = static_cast<uint32_t>(bits);
        source.low = source.buffer[0];
        if constexpr (sizeof(T) == 8) {
            for (uint32_t l = 0; l < 64; ++l) source.buffer[1][l] = static_cast<uint32_t>(bits >> 32);
            source.high = source.buffer[1];
        }
    }
    if constexpr (sizeof(T) == 2) {
        if (operand.kind == OperandKind::vgpr && operand.high) {
            for (uint32_t l = 0; l < 64; ++l) source.buffer[0][l] = source.low[l] >> 16;
            source.low = source.buffer[0];
        }
    }
    if constexpr (kIsFloat<T>) {
        if (!operand.neg && !operand.abs) return;
        constexpr uint32_t kSign = sizeof(T) == 2 ? 0x8000u : 0x80000000u;
        const uint32_t clear = operand.abs ? ~kSign : ~0u, flip = operand.neg ? kSign : 0;
        const uint32_t*& top = sizeof(T) == 8 ? source.high : source.low;
        Lanes& to = source.buffer[sizeof(T) == 8 ? 1 : 0];
        for (uint32_t l = 0; l < 64; ++l) to[l] = (top[l] & clear) ^ flip;
        top = to;
    } else {
        if (operand.neg || operand.abs) fault("a sign modifier on an integer operand");
    }
}

/// Moves the first source across lanes; takes lanes that stay unwritten out of `active`.
inline void apply_dpp(const Wave& w, const Operand& operand, const DppControl& d, Source& source, uint64_t& active) {
    const uint64_t exec = w.exec();
    Lanes moved;
    uint64_t off = 0, taken = 0;
    for (uint32_t l = 0; l < w.lanes; ++l) {
        const uint32_t from = d.from[l];
        const bool valid = (d.in_range >> l & 1) && from < w.lanes && (d.fetch_inactive || (exec >> from & 1));
        moved[l] = valid ? source.low[from] : 0;
        if (!valid && !d.bound_ctrl) off |= uint64_t{1} << l;
        if (valid && (exec & d.enabled) >> l & 1) taken |= uint64_t{1} << from;
    }
    check_lanes(w, operand, taken);
    std::memcpy(source.buffer[0], moved, sizeof moved);
    source.low = source.buffer[0];
    active &= ~off & d.enabled;
}

/// Leaves lanes that are not active as they are.
inline void write_lanes(Wave& w, uint32_t index, const uint32_t* values, uint64_t active) {
    uint32_t* to = w.v[index];
    if (active == w.all_lanes()) {
        std::memcpy(to, values, w.lanes * sizeof(uint32_t));
        return;
    }
    for (uint32_t l = 0; l < w.lanes; ++l) to[l] = active >> l & 1 ? values[l] : to[l];
}

inline void write_halves(Wave& w, const Operand& dst, const uint32_t* values, uint64_t active) {
    uint32_t* to = w.v[dst.index];
    const uint32_t shift = dst.high ? 16 : 0, keep = dst.high ? 0xffffu : 0xffff0000u;
    for (uint32_t l = 0; l < w.lanes; ++l)
        to[l] = active >> l & 1 ? (to[l] & keep) | (values[l] & 0xffff) << shift : to[l];
}

template<class T>
T modify_result(T value, const Instruction& in) {
    constexpr float kScale[] = {1.0f, 2.0f, 4.0f, 0.5f};
    value = static_cast<T>(value * static_cast<T>(kScale[in.omod]));
    if (in.clamp) value = value < T(0) || value != value ? T(0) : value > T(1) ? T(1) : value;
    return value;
}

template<class T>
void write_result(Wave& w, const Instruction& in, const T (&result)[64], uint64_t active) {
    Lanes low, high;
    const bool modified = in.clamp || in.omod;
    if (modified && !kIsFloat<T>) fault("clamp or omod on an integer result");
    for (uint32_t l = 0; l < w.lanes; ++l) {
        T value = result[l];
        if constexpr (kIsFloat<T>) {
            if (modified) value = modify_result(value, in);
        }
        if constexpr (sizeof(T) == 8) {
            const auto bits = std::bit_cast<uint64_t>(value);
            low[l] = static_cast<uint32_t>(bits);
            high[l] = static_cast<uint32_t>(bits >> 32);
        } else if constexpr (sizeof(T) == 4) {
            low[l] = std::bit_cast<uint32_t>(value);
        } else {
            low[l] = std::bit_cast<uint16_t>(value);
        }
    }
    if constexpr (sizeof(T) == 2) {
        write_halves(w, in.dst, low, active);
    } else {
        write_lanes(w, in.dst.index, low, active);
        if constexpr (sizeof(T) == 8) write_lanes(w, in.dst.index + 1u, high, active);
    }
}

/// Fetches up to three sources and calls body(a, b, c, active).
template<class A, class B, class C, class Body>
void with_sources(Wave& w, const Instruction& in, Body&& body) {
    Source a, b, c;
    uint64_t active = w.exec();
    fetch<A>(w, in.src[0], a);
    if (in.dpp) {
        if (sizeof(A) == 8) fault("DPP on a 64-bit operand");
        apply_dpp(w, in.src[0], *in.dpp, a, active);
    }
    if constexpr (!std::is_void_v<B>) fetch<B>(w, in.src[1], b);
    if constexpr (!std::is_void_v<C>) fetch<C>(w, in.src[2], c);
    body(a, b, c, active);
}

template<auto F>
void run_vector(Wave& w, const Instruction& in) {
    using S = SignatureOf<F>;
    using R = typename S::Result;
    using A = typename S::template Arg<0>;
    using B = typename S::template Arg<1>;
    using C = typename S::template Arg<2>;
    with_sources<A, B, C>(w, in, [&](const Source& a, const Source& b, const Source& c, uint64_t active) {
        R result[64];
        for (uint32_t l = 0; l < w.lanes; ++l) {
            if constexpr (S::kCount == 1)
                result[l] = F(a.get<A>(l));
            else if constexpr (S::kCount == 2)
                result[l] = F(a.get<A>(l), b.get<B>(l));
            else
                result[l] = F(a.get<A>(l), b.get<B>(l), c.get<C>(l));
        }
        write_result(w, in, result, active);
    });
}

template<auto F>
void run_compare(Wave& w, const Instruction& in) {
    using S = SignatureOf<F>;
    using A = typename S::template Arg<0>;
    using B = typename S::template Arg<1>;
    with_sources<A, B, void>(w, in, [&](const Source& a, const Source& b, const Source&, uint64_t active) {
        uint64_t mask = 0;
        for (uint32_t l = 0; l < w.lanes; ++l) mask |= static_cast<uint64_t>(F(a.get<A>(l), b.get<B>(l)) ? 1 : 0) << l;
        mask &= active;
        w.set_mask(in.sdst.index, mask);
    });
}

template<auto F>
consteval Opcode with_types(Opcode op) {
    using S = SignatureOf<F>;
    op.src[0] = operand_type<typename S::template Arg<0>>();
    if constexpr (S::kCount > 1) op.src[1] = operand_type<typename S::template Arg<1>>();
    if constexpr (S::kCount > 2) op.src[2] = operand_type<typename S::template Arg<2>>();
    return op;
}

/// A row: vector instruction from a lambda.
template<auto F>
consteval Opcode vector_op(std::string_view name, Format format, int op11, int op12, uint16_t flags = 0,
                           Class cls = Class::vector) {
    Opcode op{name, format, static_cast<int16_t>(op11), static_cast<int16_t>(op12), run_vector<F>, cls};
    op = with_types<F>(op);
    op.dst = operand_type<typename SignatureOf<F>::Result>();
    op.flags = flags;
    return op;
}

template<auto F>
consteval Opcode transcendental(std::string_view name, int op11, int op12) {
    return vector_op<F>(name, Format::vop1, op11, op12, 0, Class::transcendental);
}

/// A row: compare from a predicate; v_cmpx is the same number plus 128.
template<auto F>
consteval Opcode compare_op(std::string_view name, int number) {
    Opcode op{name,           Format::vopc, static_cast<int16_t>(number), static_cast<int16_t>(number),
              run_compare<F>, Class::vector};
    op = with_types<F>(op);
    op.flags = kMaskDst;
    return op;
}
template<auto F>
consteval Opcode compare_exec_op(std::string_view name, int number) {
    Opcode op = compare_op<F>(name, number + 128);
    op.flags = kMaskDst | kExecDst;
    return op;
}

/// A row whose handler is written out.
consteval Opcode plain_op(std::string_view name, Format format, int op11, int op12, Handler handler, Class cls,
                          OperandType dst = {}, std::array<OperandType, 3> src = {}, uint16_t flags = 0) {
    return {name, format, static_cast<int16_t>(op11), static_cast<int16_t>(op12), handler, cls, dst, src, flags};
}

inline constexpr OperandType kU32{4, false}, kU64{8, false}, kF32{4, true}, kU16{2, false};

} // namespace vkinfer::rdna
