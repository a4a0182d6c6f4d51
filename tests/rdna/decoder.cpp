#include "rdna/decoder.h"

#include "rdna/wave.h"

#include <algorithm>
#include <bit>

namespace vkinfer::rdna {

namespace {

uint32_t bits(uint32_t word, int high, int low) {
    return word >> low & ((uint64_t{1} << (high - low + 1)) - 1);
}
int32_t signed_bits(uint32_t word, int high, int low) {
    return static_cast<int32_t>(word << (31 - high)) >> (31 - high + low);
}

constexpr uint32_t kLiteralCode = 255, kDpp16 = 250, kDpp8 = 233, kDpp8Fi = 234;

class Decoder {
public:
    Decoder(Arch arch, std::span<const uint32_t> code) : arch_(arch), code_(code) {}
    Instruction run();

private:
    uint32_t word(uint32_t i) const {
        if (i >= code_.size()) fault("an instruction reaches beyond the end of the code");
        return code_[i];
    }
    void find(Format format, uint32_t number);
    Operand source(uint32_t code);
    Operand vgpr(uint32_t index) { return {.kind = OperandKind::vgpr, .index = static_cast<uint16_t>(index)}; }
    Operand sgpr(uint32_t index) { return {.kind = OperandKind::sgpr, .index = static_cast<uint16_t>(index)}; }
    /// A vector register of an e32 field: with 16-bit operands its top bit names the upper half.
    Operand half_vgpr(uint32_t index, uint32_t bytes);
    Operand half_source(uint32_t code, uint32_t bytes);
    void set_dst(uint32_t field, bool is_vop3);

    void vop12c(Format format);
    void vop3();
    void vop3p();
    void vopd();
    void scalar();
    void smem();
    void ds();
    void flat();
    void buffer();
    void dpp(uint32_t code);
    void registers();
    void add_read(const Operand& operand, uint32_t bytes);
    void add_write(const Operand& operand, uint32_t bytes);

    Arch arch_;
    std::span<const uint32_t> code_;
    Instruction out_;
    uint32_t literal_at_ = 0; ///< dword of the literal, were there one
    bool has_literal_ = false;
};

void Decoder::find(Format format, uint32_t number) {
    out_.opcode = find_opcode(arch_, format, number);
    if (out_.opcode == nullptr || out_.opcode->handler == nullptr) {
        fault("{} opcode {} of {}{}{} is not in the table (words {:08x} {:08x}); add a row to tests/rdna/ops_*.cpp",
              to_string(format), number, arch_ == Arch::gfx12 ? "gfx12" : "gfx11", out_.opcode ? ", " : "",
              out_.opcode ? out_.opcode->name : std::string_view(), word(0), code_.size() > 1 ? word(1) : 0);
    }
    out_.handler = out_.opcode->handler;
}

Operand Decoder::source(uint32_t code) {
    if (code >= 256) return vgpr(code - 256);
    if (code < 128) return sgpr(code);
    Operand constant{.kind = OperandKind::constant};
    constexpr float kFloats[] = {0.5f, -0.5f, 1.0f, -1.0f, 2.0f, -2.0f, 4.0f, -4.0f, 0.15915494f};
    if (code <= 192)
        constant.value = code - 128;
    else if (code <= 208)
        constant.value = static_cast<uint32_t>(192 - static_cast<int32_t>(code));
    else if (code >= 240 && code <= 248) {
        constant.value = std::bit_cast<uint32_t>(kFloats[code - 240]);
        constant.is_float = true;
    } else if (code == kScc)
        return sgpr(kScc);
    else if (code == kLiteralCode) {
        constant.kind = OperandKind::literal;
        constant.value = word(literal_at_);
        has_literal_ = true;
    } else
        fault("operand code {} is not handled (words {:08x} {:08x})", code, word(0), code_.size() > 1 ? word(1) : 0);
    return constant;
}

Operand Decoder::half_vgpr(uint32_t index, uint32_t bytes) {
    if (bytes != 2) return vgpr(index);
    Operand operand = vgpr(index & 127);
    operand.high = index >= 128;
    return operand;
}

Operand Decoder::half_source(uint32_t code, uint32_t bytes) {
    return code >= 256 ? half_vgpr(code - 256, bytes) : source(code);
}

void Decoder::set_dst(uint32_t field, bool is_vop3) {
    const uint16_t flags = out_.opcode->flags;
    if (flags & kExecDst)
        out_.sdst = sgpr(kExec);
    else if (flags & kMaskDst)
        out_.sdst = sgpr(is_vop3 ? field : kVcc);
    else if (flags & kScalarDst)
        out_.dst = sgpr(field);
    else
        out_.dst = is_vop3 ? vgpr(field) : half_vgpr(field, out_.opcode->dst.bytes);
}

void Decoder::vop12c(Format format) {
    const uint32_t w = word(0);
    find(format, format == Format::vop1 ? bits(w, 16, 9) : format == Format::vop2 ? bits(w, 30, 25) : bits(w, 24, 17));
    const Opcode& op = *out_.opcode;
    literal_at_ = 1;
    const uint32_t code = bits(w, 8, 0);
    const bool is_dpp = code == kDpp16 || code == kDpp8 || code == kDpp8Fi;
    if (is_dpp)
        dpp(code);
    else
        out_.src[0] = half_source(code, op.src[0].bytes);
    if (format != Format::vop1) out_.src[1] = half_vgpr(bits(w, 16, 9), op.src[1].bytes);
    set_dst(bits(w, 24, 17), false);
    if (op.flags & kLiteralK) {
        out_.src[2] = out_.src[1];
        out_.src[1] = source(kLiteralCode);
    }
    if (op.flags & kLiteralA) out_.src[2] = source(kLiteralCode);
    if (op.flags & kAccumulate) out_.src[2] = out_.dst;
    if (op.flags & kCarry) {
        out_.sdst = sgpr(kVcc);
        out_.src[2] = sgpr(kVcc);
    }
    out_.dwords = 1 + (is_dpp || has_literal_);
}

void Decoder::vop3() {
    const uint32_t w = word(0), w1 = word(1);
    const uint32_t number = bits(w, 25, 16);
    if (number < 0x100)
        find(Format::vopc, number);
    else if (number < 0x140)
        find(Format::vop2, number - 0x100);
    else if (number >= 0x180 && number < 0x200)
        find(Format::vop1, number - 0x180);
    else
        find(Format::vop3, number);
    const Opcode& op = *out_.opcode;
    const bool has_sdst = (op.flags & kCarry) && op.name != "v_cndmask_b32";
    literal_at_ = 2;
    const uint32_t code = bits(w1, 8, 0);
    const bool is_dpp = code == kDpp16 || code == kDpp8 || code == kDpp8Fi;
    if (is_dpp)
        dpp(code);
    else
        out_.src[0] = source(code);
    const int n_sources = op.src[2].bytes != 0 ? 3 : op.src[1].bytes != 0 ? 2 : 1;
    if (n_sources > 1 || (op.flags & kCarry)) out_.src[1] = source(bits(w1, 17, 9));
    if (n_sources > 2 || (op.flags & kCarry)) out_.src[2] = source(bits(w1, 26, 18));
    set_dst(bits(w, 7, 0), true);
    if (op.flags & kAccumulate) out_.src[2] = out_.dst;
    out_.clamp = bits(w, 15, 15);
    out_.omod = static_cast<uint8_t>(bits(w1, 28, 27));
    for (int i = 0; i < 3; ++i) {
        if (w1 >> (29 + i) & 1) out_.src[i].neg = true;
        if (!has_sdst && w >> (8 + i) & 1) out_.src[i].abs = true;
    }
    if (has_sdst) {
        out_.sdst = sgpr(bits(w, 14, 8));
    } else {
        out_.op_sel = static_cast<uint8_t>(bits(w, 14, 11));
        for (int i = 0; i < 3; ++i) {
            if (!(out_.op_sel >> i & 1)) continue;
            if (op.src[i].bytes == 2)
                out_.src[i].high = true;
            else if (!(op.flags & kOpSel))
                fault("op_sel {} of {} is not handled", out_.op_sel, op.name);
        }
        if ((out_.op_sel & 8) && op.dst.bytes != 2 && !(op.flags & kOpSel))
            fault("op_sel {} of {} is not handled", out_.op_sel, op.name);
        if (op.dst.bytes == 2) out_.dst.high = out_.op_sel & 8;
        if ((op.flags & kAccumulate) && op.dst.bytes == 2) out_.src[2].high = out_.op_sel & 8;
    }
    out_.dwords = 2 + (is_dpp || has_literal_);
}

void Decoder::vop3p() {
    const uint32_t w = word(0), w1 = word(1);
    find(Format::vop3p, bits(w, 22, 16));
    literal_at_ = 2;
    const uint32_t code = bits(w1, 8, 0);
    if (code == kDpp16 || code == kDpp8 || code == kDpp8Fi) fault("DPP in VOP3P is not handled");
    out_.src[0] = source(code);
    out_.src[1] = source(bits(w1, 17, 9));
    if (out_.opcode->src[2].bytes != 0 || (out_.opcode->flags & kMatrix)) out_.src[2] = source(bits(w1, 26, 18));
    out_.dst = vgpr(bits(w, 7, 0));
    out_.neg_hi = static_cast<uint8_t>(bits(w, 10, 8));
    out_.op_sel = static_cast<uint8_t>(bits(w, 13, 11));
    out_.clamp = bits(w, 15, 15);
    out_.op_sel_hi = static_cast<uint8_t>(bits(w1, 28, 27) | bits(w, 14, 14) << 2);
    out_.neg_lo = static_cast<uint8_t>(bits(w1, 31, 29));
    out_.dwords = 2 + has_literal_;
}

void Decoder::vopd() {
    const uint32_t w = word(0), w1 = word(1);
    // Halves are VOP2 (or v_mov_b32): their numbers here and there.
    constexpr int kVop2[] = {43, 45, 44, 8, 3, 4, 5, 7, -1, 1, -2, -3, 2, -9, -9, -9, 37, 24, 27};
    const auto half = [&](uint32_t number, uint32_t src0, uint32_t src1, uint32_t dst) {
        Decoder decoder(arch_, code_);
        const int vop2 = number < std::size(kVop2) ? kVop2[number] : -9;
        if (number == 12 && arch_ == Arch::gfx12) fault("VOPD opcode 12 of gfx12 is not handled");
        if (vop2 == -9) fault("VOPD opcode {} is not handled (words {:08x} {:08x})", number, w, w1);
        if (vop2 == -1)
            decoder.find(Format::vop1, 1);
        else if (vop2 == -2)
            decoder.find(Format::vop2, arch_ == Arch::gfx12 ? 22 : 16);
        else if (vop2 == -3)
            decoder.find(Format::vop2, arch_ == Arch::gfx12 ? 21 : 15);
        else
            decoder.find(Format::vop2, static_cast<uint32_t>(vop2));
        decoder.literal_at_ = 2;
        const Opcode& op = *decoder.out_.opcode;
        decoder.out_.src[0] = decoder.source(src0);
        decoder.out_.dst = vgpr(dst);
        if (vop2 != -1) decoder.out_.src[1] = vgpr(src1);
        if (op.flags & kLiteralK) {
            decoder.out_.src[2] = vgpr(src1);
            decoder.out_.src[1] = decoder.source(kLiteralCode);
        }
        if (op.flags & kLiteralA) decoder.out_.src[2] = decoder.source(kLiteralCode);
        if (op.flags & kAccumulate) decoder.out_.src[2] = decoder.out_.dst;
        if (op.flags & kCarry) decoder.out_.src[2] = sgpr(kVcc);
        decoder.registers();
        has_literal_ = has_literal_ || decoder.has_literal_;
        return std::move(decoder.out_);
    };
    const uint32_t dst_x = bits(w1, 31, 24);
    const uint32_t dst_y = bits(w1, 23, 17) << 1 | ((dst_x & 1) ^ 1);
    Instruction x = half(bits(w, 25, 22), bits(w, 8, 0), bits(w, 16, 9), dst_x);
    Instruction y = half(bits(w, 21, 17), bits(w1, 8, 0), bits(w1, 16, 9), dst_y);
    out_ = std::move(x);
    out_.pair = std::make_unique<Instruction>(std::move(y));
    out_.dwords = 2 + has_literal_;
}

void Decoder::scalar() {
    const uint32_t w = word(0);
    literal_at_ = 1;
    if (w >> 23 == 0x17d) {
        find(Format::sop1, bits(w, 15, 8));
        out_.dst = sgpr(bits(w, 22, 16));
        out_.src[0] = source(bits(w, 7, 0));
    } else if (w >> 23 == 0x17e) {
        find(Format::sopc, bits(w, 22, 16));
        out_.src[0] = source(bits(w, 7, 0));
        out_.src[1] = source(bits(w, 15, 8));
    } else if (w >> 23 == 0x17f) {
        find(Format::sopp, bits(w, 22, 16));
        out_.imm = static_cast<int16_t>(w);
    } else if (w >> 28 == 0xb) {
        find(Format::sopk, bits(w, 27, 23));
        out_.dst = sgpr(bits(w, 22, 16));
        out_.imm = static_cast<int16_t>(w);
    } else {
        find(Format::sop2, bits(w, 29, 23));
        out_.dst = sgpr(bits(w, 22, 16));
        out_.src[0] = source(bits(w, 7, 0));
        out_.src[1] = source(bits(w, 15, 8));
        if (out_.opcode->flags & kAccumulate) out_.src[2] = out_.dst;
        if (out_.opcode->flags & kLiteralK) {
            out_.src[2] = out_.src[1];
            out_.src[1] = source(kLiteralCode);
        }
        if (out_.opcode->flags & kLiteralA) out_.src[2] = source(kLiteralCode);
    }
    out_.dwords = 1 + has_literal_;
}

void Decoder::smem() {
    const uint32_t w = word(0), w1 = word(1);
    find(Format::smem, arch_ == Arch::gfx12 ? bits(w, 18, 13) : bits(w, 25, 18));
    out_.src[0] = sgpr(bits(w, 5, 0) << 1);
    out_.dst = sgpr(bits(w, 12, 6));
    out_.src[1] = sgpr(bits(w1, 31, 25));
    out_.imm = arch_ == Arch::gfx12 ? signed_bits(w1, 23, 0) : signed_bits(w1, 20, 0);
    out_.dwords = 2;
}

void Decoder::ds() {
    const uint32_t w = word(0), w1 = word(1);
    find(Format::ds, bits(w, 25, 18));
    out_.gds = bits(w, 17, 17);
    if (out_.gds) fault("GDS is not handled");
    const uint32_t unit = out_.opcode->memory.two;
    if (unit != 0) {
        out_.imm = static_cast<int32_t>(bits(w, 7, 0) * unit);
        out_.imm1 = static_cast<int32_t>(bits(w, 15, 8) * unit);
    } else {
        out_.imm = static_cast<int32_t>(bits(w, 15, 0));
    }
    out_.src[0] = vgpr(bits(w1, 7, 0));
    out_.src[1] = vgpr(bits(w1, 15, 8));
    out_.src[2] = vgpr(bits(w1, 23, 16));
    out_.dst = vgpr(bits(w1, 31, 24));
    out_.dwords = 2;
}

void Decoder::flat() {
    const uint32_t w = word(0), w1 = word(1);
    constexpr Format kSegments[] = {Format::flat, Format::scratch, Format::global};
    const uint32_t segment = arch_ == Arch::gfx12 ? bits(w, 25, 24) : bits(w, 17, 16);
    if (segment > 2) fault("segment {} of a flat instruction", segment);
    if (arch_ == Arch::gfx12) {
        find(kSegments[segment], bits(w, 21, 14));
        const uint32_t w2 = word(2);
        out_.src[0] = vgpr(bits(w2, 7, 0));
        out_.src[1] = vgpr(bits(w1, 30, 23));
        out_.src[2] = sgpr(bits(w, 6, 0));
        out_.dst = vgpr(bits(w1, 7, 0));
        out_.imm = signed_bits(w2, 31, 8);
        out_.glc = bits(w1, 20, 20);
        out_.offen = bits(w1, 17, 17);
        out_.dwords = 3;
    } else {
        find(kSegments[segment], bits(w, 24, 18));
        out_.src[0] = vgpr(bits(w1, 7, 0));
        out_.src[1] = vgpr(bits(w1, 15, 8));
        out_.src[2] = sgpr(bits(w1, 22, 16));
        out_.dst = vgpr(bits(w1, 31, 24));
        out_.imm = signed_bits(w, 12, 0);
        out_.glc = bits(w, 14, 14);
        out_.offen = bits(w1, 23, 23);
        out_.dwords = 2;
    }
}

void Decoder::buffer() {
    const uint32_t w = word(0), w1 = word(1);
    if (arch_ == Arch::gfx12) {
        find(Format::buffer, bits(w, 21, 14));
        const uint32_t w2 = word(2);
        out_.sdst = sgpr(bits(w, 6, 0));
        out_.src[0] = vgpr(bits(w2, 7, 0));
        out_.src[1] = out_.dst = vgpr(bits(w1, 7, 0));
        out_.src[2] = sgpr(bits(w1, 17, 9));
        out_.offen = bits(w1, 30, 30);
        out_.idxen = bits(w1, 31, 31);
        out_.glc = bits(w1, 20, 20);
        out_.imm = signed_bits(w2, 31, 8);
        out_.dwords = 3;
    } else {
        find(Format::buffer, bits(w, 25, 18));
        out_.sdst = source(bits(w1, 31, 24));
        out_.src[0] = vgpr(bits(w1, 7, 0));
        out_.src[1] = out_.dst = vgpr(bits(w1, 15, 8));
        out_.src[2] = sgpr(bits(w1, 20, 16) << 2);
        out_.offen = bits(w1, 22, 22);
        out_.idxen = bits(w1, 23, 23);
        out_.glc = bits(w, 14, 14);
        out_.imm = static_cast<int32_t>(bits(w, 11, 0));
        out_.dwords = 2;
    }
}

/// The control word behind a DPP instruction: which lane each lane's first source comes from.
void Decoder::dpp(uint32_t code) {
    const uint32_t at = literal_at_, w = word(at);
    out_.dpp = std::make_unique<DppControl>();
    DppControl& d = *out_.dpp;
    d.in_range = d.enabled = ~uint64_t{0};
    out_.src[0] = half_vgpr(bits(w, 7, 0), at == 1 ? out_.opcode->src[0].bytes : 4);
    if (code != kDpp16) {
        d.fetch_inactive = code == kDpp8Fi;
        d.bound_ctrl = true;
        for (uint32_t lane = 0; lane < 64; ++lane)
            d.from[lane] = static_cast<uint8_t>((lane & ~7u) | bits(w, 10 + 3 * (lane & 7), 8 + 3 * (lane & 7)));
        return;
    }
    const uint32_t control = bits(w, 16, 8);
    d.fetch_inactive = bits(w, 18, 18);
    d.bound_ctrl = bits(w, 19, 19);
    out_.src[0].neg = bits(w, 20, 20);
    out_.src[0].abs = bits(w, 21, 21);
    out_.src[1].neg = bits(w, 22, 22);
    out_.src[1].abs = bits(w, 23, 23);
    d.in_range = d.enabled = 0;
    for (uint32_t lane = 0; lane < 64; ++lane) {
        const uint32_t row = lane & ~15u, i = lane & 15;
        int from = -1;
        if (control < 0x100)
            from = static_cast<int>((lane & ~3u) | bits(control, 2 * (lane & 3) + 1, 2 * (lane & 3)));
        else if (control > 0x100 && control <= 0x10f)
            from = i + (control & 15) < 16 ? static_cast<int>(lane + (control & 15)) : -1;
        else if (control > 0x110 && control <= 0x11f)
            from = i >= (control & 15) ? static_cast<int>(lane - (control & 15)) : -1;
        else if (control > 0x120 && control <= 0x12f)
            from = static_cast<int>(row | ((i - (control & 15)) & 15));
        else if (control == 0x140)
            from = static_cast<int>(row | (15 - i));
        else if (control == 0x141)
            from = static_cast<int>((lane & ~7u) | (7 - (lane & 7)));
        else if (control >= 0x150 && control <= 0x15f)
            from = static_cast<int>(row | (control & 15));
        else if (control >= 0x160 && control <= 0x16f)
            from = static_cast<int>(row | (i ^ (control & 15)));
        else
            fault("DPP control {:#x} is not handled", control);
        if (from >= 0) {
            d.in_range |= uint64_t{1} << lane;
            d.from[lane] = static_cast<uint8_t>(from);
        }
        if ((bits(w, 27, 24) >> (lane >> 2 & 3) & 1) && (bits(w, 31, 28) >> (lane >> 4 & 3) & 1))
            d.enabled |= uint64_t{1} << lane;
    }
}

void Decoder::add_read(const Operand& operand, uint32_t bytes) {
    if (bytes == 0 || (operand.kind != OperandKind::vgpr && operand.kind != OperandKind::sgpr)) return;
    if (operand.kind == OperandKind::sgpr && operand.index >= kNull) return; // null, M0, EXEC and SCC need no check
    out_.reads[out_.n_reads++] = {operand.index, static_cast<uint8_t>((bytes + 3) / 4),
                                  operand.kind == OperandKind::sgpr};
}

void Decoder::add_write(const Operand& operand, uint32_t bytes) {
    if (bytes == 0 || (operand.kind != OperandKind::vgpr && operand.kind != OperandKind::sgpr)) return;
    if (operand.kind == OperandKind::sgpr && operand.index >= kNull) return;
    out_.writes[out_.n_writes++] = {operand.index, static_cast<uint8_t>((bytes + 3) / 4),
                                    operand.kind == OperandKind::sgpr};
}

/// What the instruction reads and writes, for the checks.
void Decoder::registers() {
    const Opcode& op = *out_.opcode;
    if (op.flags & kMatrix) return;
    const bool is_buffer = op.format == Format::buffer, is_scratch = op.format == Format::scratch;
    for (int i = 0; i < 3; ++i) {
        if (is_buffer && i == 0 && !out_.offen && !out_.idxen) continue;
        if (is_scratch && ((i == 0 && !out_.offen) || (i == 2 && out_.src[2].index == kNull))) continue;
        const bool has_saddr = op.format == Format::global && out_.src[2].index != kNull;
        const uint32_t bytes = op.format == Format::global && i == 0 && has_saddr ? 4 : op.src[i].bytes;
        if (op.format == Format::global && i == 2 && !has_saddr) continue;
        // ACO leaves an operand of v_perm undefined from which the selector takes no byte (0-3, 8, 9 are of the
        // second), or of which it only keeps bytes where they are: a register that is put together byte by byte.
        if (op.name == "v_perm_b32" && i < 2 && out_.src[2].kind != OperandKind::vgpr &&
            out_.src[2].kind != OperandKind::sgpr) {
            bool is_used = false;
            for (int b = 0; b < 4; ++b) {
                const uint32_t selector = out_.src[2].value >> 8 * b & 255;
                const bool is_taken =
                    selector < 12 && ((selector < 4 || selector == 8 || selector == 9) ? i == 1 : i == 0);
                const bool is_kept = selector < 8 && selector % 4 == static_cast<uint32_t>(b) &&
                                     out_.src[i].kind == OperandKind::vgpr && out_.src[i].index == out_.dst.index;
                is_used |= is_taken && !is_kept;
            }
            if (!is_used) continue;
        }
        add_read(out_.src[i], bytes);
    }
    if (is_buffer && out_.sdst.kind == OperandKind::sgpr) add_read(out_.sdst, 4);
    // An atomic returns what was there only when asked to.
    const bool returns = op.cls != Class::atomic || op.format == Format::ds || out_.glc;
    if (returns) add_write(out_.dst, op.dst.bytes);
    if ((op.flags & (kMaskDst | kCarry)) && !is_buffer) add_write(out_.sdst, 4);
}

Instruction Decoder::run() {
    const uint32_t w = word(0);
    if (w >> 31 == 0) {
        vop12c(w >> 25 == 0x3f ? Format::vop1 : w >> 25 == 0x3e ? Format::vopc : Format::vop2);
    } else if (w >> 30 == 2) {
        scalar();
    } else {
        const uint32_t top = w >> 26;
        if (top == 0x35)
            vop3();
        else if (w >> 24 == 0xcc)
            vop3p();
        else if (top == 0x32) {
            vopd();
            return std::move(out_);
        } else if (top == 0x36)
            ds();
        else if (top == 0x3d)
            smem();
        else if (top == (arch_ == Arch::gfx12 ? 0x3bu : 0x37u))
            flat();
        else if (top == (arch_ == Arch::gfx12 ? 0x31u : 0x38u))
            buffer();
        else
            fault("encoding {:08x} belongs to no format that is handled", w);
    }
    registers();
    return std::move(out_);
}

} // namespace

Instruction decode(Arch arch, std::span<const uint32_t> code) {
    return Decoder(arch, code).run();
}

std::string to_string(const Instruction& instruction) {
    std::string text(instruction.opcode->name);
    const char* separator = " ";
    const auto add = [&](const Operand& operand) {
        if (operand.kind == OperandKind::none) return;
        text += separator;
        separator = ", ";
        if (operand.neg) text += '-';
        if (operand.abs) text += '|';
        if (operand.kind == OperandKind::vgpr)
            text += std::format("v{}{}", operand.index, operand.high ? ".h" : "");
        else if (operand.kind == OperandKind::sgpr) {
            if (operand.index == kVcc)
                text += "vcc";
            else if (operand.index == kNull)
                text += "null";
            else if (operand.index == kM0)
                text += "m0";
            else if (operand.index == kExec)
                text += "exec";
            else if (operand.index == kScc)
                text += "scc";
            else if (operand.index >= kTtmp0 && operand.index < kNull)
                text += std::format("ttmp{}", operand.index - kTtmp0);
            else
                text += std::format("s{}", operand.index);
        } else if (operand.is_float)
            text += std::format("{}", std::bit_cast<float>(operand.value));
        else
            text += std::format("{:#x}", operand.value);
        if (operand.abs) text += '|';
    };
    add(instruction.dst);
    add(instruction.sdst);
    for (const Operand& operand : instruction.src) add(operand);
    if (instruction.imm != 0) text += std::format(" imm:{}", instruction.imm);
    if (instruction.dpp) text += " dpp";
    if (instruction.pair) text += " :: " + to_string(*instruction.pair);
    return text;
}

bool Program::is_current(const uint32_t* code, size_t max_dwords) const {
    if (code != code_ || max_dwords != max_dwords_) return false; // the old one may not even be mapped
    for (size_t pc = 0; pc < slots_.size(); ++pc) {
        if (!slots_[pc]) continue;
        for (uint32_t i = 0; i < slots_[pc]->dwords; ++i)
            if (seen_[pc + i] != code_[pc + i]) return false;
    }
    return true;
}

const Instruction& Program::decode_at(uint32_t pc) {
    if (pc >= max_dwords_) fault("the program counter left the code, at dword {}", pc);
    auto decoded =
        std::make_unique<Instruction>(decode(arch_, std::span(code_ + pc, std::min<size_t>(max_dwords_ - pc, 5))));
    if (slots_.size() <= pc) slots_.resize(pc + 64);
    if (seen_.size() < pc + decoded->dwords) seen_.resize(pc + 128);
    std::copy_n(code_ + pc, decoded->dwords, seen_.begin() + pc);
    slots_[pc] = std::move(decoded);
    executed_.insert(slots_[pc]->opcode);
    if (slots_[pc]->pair) executed_.insert(slots_[pc]->pair->opcode);
    return *slots_[pc];
}

uint64_t Program::fingerprint() {
    if (fingerprint_ != 0) return fingerprint_;
    constexpr uint32_t kCodeEnd = 0xbf9f0000, kMarks = 5; // s_code_end, as ACO puts it behind every kernel
    size_t n = 0;
    for (uint32_t marks = 0; n < max_dwords_ && marks < kMarks; ++n) marks = code_[n] == kCodeEnd ? marks + 1 : 0;
    if (n < max_dwords_) n -= kMarks;
    fingerprint_ = 0xcbf29ce484222325;
    for (size_t i = 0; i < n; ++i)
        for (int b = 0; b < 4; ++b) fingerprint_ = (fingerprint_ ^ (code_[i] >> 8 * b & 255)) * 0x100000001b3;
    return fingerprint_;
}

} // namespace vkinfer::rdna
