// WMMA: products of 16x16x16. Lane l of group g = l / 16 holds row l % 16 of A, column l % 16 of B and column l % 16 of
// C; the maps of k and of C's rows follow AMD's matrix instruction calculator and RADV's coopMatLoad
// (docs/rdna-rig.md).
#include "rdna/checks.h"
#include "rdna/float8.h"
#include "rdna/lanes.h"
#include "rdna/tables.h"

#include <algorithm>

namespace vkinfer::rdna {

namespace {

enum class Element { f16, bf16, i8, i4, fp8, bf8, f32, i32 };

constexpr uint32_t element_bits(Element type) {
    return type == Element::i4 ? 4 : type == Element::i8 || type == Element::fp8 || type == Element::bf8 ? 8 : 16;
}

struct Shape {
    bool gfx12;
    uint32_t lanes;
    uint32_t elements_ab() const { return gfx12 ? 256 / lanes : 16; }
    uint32_t registers_ab(Element type) const { return std::max(1u, elements_ab() * element_bits(type) / 32); }
    uint32_t k(uint32_t group, uint32_t e) const { return gfx12 ? fragment_row(lanes, group, e) : e; }
    uint32_t elements_c() const { return 256 / lanes; }
    uint32_t row_c(uint32_t group, uint32_t e) const {
        return gfx12 ? fragment_row(lanes, group, e) : e * (lanes / 16) + group;
    }
    /// 16-bit accumulators: gfx12 packs two into a register, gfx11 keeps one in the half that op_sel names.
    uint32_t registers_c(bool is_16bit) const { return is_16bit && gfx12 ? elements_c() / 2 : elements_c(); }
};

float small_float(uint32_t x, Element type) {
    if (type == Element::f16) return static_cast<float>(std::bit_cast<Half>(static_cast<uint16_t>(x)));
    if (type == Element::bf16) return std::bit_cast<float>(x << 16);
    return type == Element::bf8 ? from_float8<Float8::bf8>(x) : from_float8<Float8::fp8>(x);
}

uint32_t to_bf16(float x) {
    const auto u = std::bit_cast<uint32_t>(x);
    if (x != x) return 0x7fc0;
    return (u + 0x7fff + (u >> 16 & 1)) >> 16;
}

using Raw = uint32_t[16][16];

/// The bits of A (rows) or B (columns) by [row][k]; on gfx11 the copies in the lane groups must agree.
void gather(const Wave& w, const Shape& shape, const Operand& operand, Element type, Raw& out) {
    if (operand.kind != OperandKind::vgpr) fault("a matrix operand A or B that is no vector register");
    const uint32_t bits = element_bits(type), per = 32 / bits, n = shape.elements_ab();
    if (w.group->check) check_read(w, {operand.index, static_cast<uint8_t>(shape.registers_ab(type))}, w.all_lanes());
    for (uint32_t l = 0; l < w.lanes; ++l) {
        for (uint32_t e = 0; e < n; ++e) {
            const uint32_t x = w.v[operand.index + e / per][l] >> bits * (e % per) & ((1u << bits) - 1);
            uint32_t& to = out[l % 16][shape.k(l / 16, e)];
            if (!shape.gfx12 && l >= 16 && to != x)
                fault(
                    "the copies of a matrix operand at v{} differ between lane groups (row {}, k {}: {:#x} and {:#x})",
                    operand.index, l % 16, e, to, x);
            to = x;
        }
    }
}

template<Element kA, Element kB, Element kC>
void run_wmma(Wave& w, const Instruction& in) {
    const Shape shape{w.group->arch == Arch::gfx12, w.lanes};
    constexpr bool kInt = kC == Element::i32, k16 = kC == Element::f16 || kC == Element::bf16;
    const uint32_t n_c = shape.elements_c(), registers = shape.registers_c(k16);
    if (!kInt && (in.neg_lo != 0 || in.neg_hi != 0)) fault("sign modifiers of a WMMA on floats are not handled");
    Raw raw_a, raw_b;
    gather(w, shape, in.src[0], kA, raw_a);
    gather(w, shape, in.src[1], kB, raw_b);
    const bool high = k16 && !shape.gfx12 && (in.op_sel & 4);
    if (w.group->check && in.src[2].kind == OperandKind::vgpr)
        check_read(w, {in.src[2].index, static_cast<uint8_t>(registers)}, w.all_lanes());

    // Where element e of lane l of C and D lies.
    const auto place = [&](uint32_t e) {
        struct Place {
            uint32_t r, shift;
        };
        return !k16 ? Place{e, 0} : shape.gfx12 ? Place{e / 2, 16 * (e % 2)} : Place{e, high ? 16u : 0u};
    };
    const auto c_bits = [&](uint32_t l, uint32_t e) -> uint32_t {
        if (in.src[2].kind == OperandKind::vgpr) {
            const auto [r, shift] = place(e);
            return w.v[in.src[2].index + r][l] >> shift;
        }
        return k16 ? static_cast<uint32_t>(constant_bits<Half>(in.src[2])) : read_scalar(w, in.src[2]);
    };
    uint32_t d[16][16];
    if constexpr (kInt) {
        int64_t c[16][16];
        const auto value = [](uint32_t x, uint32_t bits, bool is_signed) {
            return is_signed ? static_cast<int32_t>(x << (32 - bits)) >> (32 - bits) : static_cast<int32_t>(x);
        };
        for (uint32_t l = 0; l < w.lanes; ++l)
            for (uint32_t e = 0; e < n_c; ++e) c[shape.row_c(l / 16, e)][l % 16] = static_cast<int32_t>(c_bits(l, e));
        constexpr uint32_t kBits = element_bits(kA);
        for (int m = 0; m < 16; ++m) {
            for (int n = 0; n < 16; ++n) {
                int64_t sum = c[m][n];
                for (int k = 0; k < 16; ++k)
                    sum += value(raw_a[m][k], kBits, in.neg_lo & 1) * value(raw_b[n][k], kBits, in.neg_lo & 2);
                if (in.clamp) sum = std::clamp<int64_t>(sum, INT32_MIN, INT32_MAX);
                d[m][n] = static_cast<uint32_t>(sum);
            }
        }
    } else {
        float a[16][16], b[16][16], c[16][16];
        for (int i = 0; i < 16; ++i) {
            for (int k = 0; k < 16; ++k) {
                a[i][k] = small_float(raw_a[i][k], kA);
                b[k][i] = small_float(raw_b[i][k], kB);
            }
        }
        for (uint32_t l = 0; l < w.lanes; ++l) {
            for (uint32_t e = 0; e < n_c; ++e) {
                const uint32_t x = c_bits(l, e);
                c[shape.row_c(l / 16, e)][l % 16] = k16 ? small_float(x & 0xffff, kC) : std::bit_cast<float>(x);
            }
        }
        for (int m = 0; m < 16; ++m) {
            float sum[16];
            std::copy_n(c[m], 16, sum);
            for (int k = 0; k < 16; ++k)
                for (int n = 0; n < 16; ++n) sum[n] = std::fma(a[m][k], b[k][n], sum[n]);
            for (int n = 0; n < 16; ++n) {
                d[m][n] = kC == Element::f32    ? std::bit_cast<uint32_t>(sum[n])
                          : kC == Element::bf16 ? to_bf16(sum[n])
                                                : std::bit_cast<uint16_t>(static_cast<Half>(sum[n]));
            }
        }
    }
    for (uint32_t l = 0; l < w.lanes; ++l) {
        for (uint32_t e = 0; e < n_c; ++e) {
            const auto [r, shift] = place(e);
            uint32_t& to = w.v[in.dst.index + r][l];
            const uint32_t x = d[shape.row_c(l / 16, e)][l % 16];
            to = k16 ? (to & ~(0xffffu << shift)) | x << shift : x;
        }
    }
    mark_written(w, {in.dst.index, static_cast<uint8_t>(registers)}, w.all_lanes());
}

template<Element kA, Element kB, Element kC>
consteval Opcode wmma(std::string_view name, int op11, int op12) {
    return plain_op(name, Format::vop3p, op11, op12, run_wmma<kA, kB, kC>, Class::matrix, {}, {},
                    element_bits(kA) == 8 ? kMatrix | kMatrix8 : kMatrix);
}

using enum Element;

constexpr Opcode kRows[] = {
    wmma<f16, f16, f32>("v_wmma_f32_16x16x16_f16", 64, 64),
    wmma<bf16, bf16, f32>("v_wmma_f32_16x16x16_bf16", 65, 65),
    wmma<f16, f16, f16>("v_wmma_f16_16x16x16_f16", 66, 66),
    wmma<bf16, bf16, bf16>("v_wmma_bf16_16x16x16_bf16", 67, 67),
    wmma<i8, i8, i32>("v_wmma_i32_16x16x16_iu8", 68, 68),
    wmma<i4, i4, i32>("v_wmma_i32_16x16x16_iu4", 69, 69),
    wmma<fp8, fp8, f32>("v_wmma_f32_16x16x16_fp8_fp8", -1, 70),
    wmma<fp8, bf8, f32>("v_wmma_f32_16x16x16_fp8_bf8", -1, 71),
    wmma<bf8, fp8, f32>("v_wmma_f32_16x16x16_bf8_fp8", -1, 72),
    wmma<bf8, bf8, f32>("v_wmma_f32_16x16x16_bf8_bf8", -1, 73),
};

} // namespace

std::span<const Opcode> matrix_rows() {
    return kRows;
}

} // namespace vkinfer::rdna
