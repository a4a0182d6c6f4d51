// The parts of the RDNA instruction set that the rig needs to name: formats, operands, decoded instructions and rows of
// the opcode table. A row ties an opcode's numbers on gfx11 and gfx12 to the function that executes it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace vkinfer::rdna {

enum class Arch : uint8_t { gfx11, gfx12 };

enum class Format : uint8_t {
    sop2,
    sopk,
    sop1,
    sopc,
    sopp,
    smem,
    vop1,
    vop2,
    vopc,
    vop3,
    vop3p,
    vopd_x,
    vopd_y,
    ds,
    flat,
    scratch,
    global,
    buffer,
};
inline constexpr size_t kFormats = 18;
std::string_view to_string(Format format);

struct Wave;
struct Instruction;
using Handler = void (*)(Wave&, const Instruction&);

/// What instructions are counted as.
enum class Class : uint8_t {
    scalar,
    scalar_memory,
    vector,
    transcendental,
    dual,
    dot,
    matrix,
    lds,
    load,
    store,
    atomic,
    branch,
    wait,
    barrier,
    other
};
inline constexpr size_t kClasses = 15;
std::string_view to_string(Class cls);

/// Bytes of an operand, and whether its constants are floats of that size.
struct OperandType {
    uint8_t bytes = 0; ///< 0: absent
    bool is_float = false;
};

/// How a memory instruction moves data between a lane's registers and memory.
struct MemoryShape {
    uint8_t bytes = 4;      ///< in memory, per lane (or of one address for `two`)
    bool is_signed = false; ///< of one or two bytes: extend the sign
    bool d16 = false;       ///< fills one half of the register and keeps the other
    bool high = false;      ///< that half is the upper one
    uint16_t two = 0;       ///< LDS with two addresses: offsets in units of this many bytes
};

enum : uint16_t {
    kAccumulate = 1,  ///< the destination is the last source too
    kLiteralK = 2,    ///< fmamk: src1 is a literal
    kLiteralA = 4,    ///< fmaak: src2 is a literal
    kScalarDst = 8,   ///< a vector instruction that writes a scalar register
    kMaskDst = 16,    ///< a compare: VCC or a scalar mask
    kExecDst = 32,    ///< v_cmpx
    kCarry = 64,      ///< e32 reads or writes VCC, VOP3 has sdst
    kKeepsDst = 128,  ///< also reads its destination
    kCrossLane = 256, ///< reads registers of other lanes than it writes
    kMatrix8 = 1024,  ///< a matrix product of 8-bit operands
    kOpSel = 2048,    ///< the handler looks at op_sel itself
    kMatrix = 512,    ///< operand sizes depend on chip and wave: the handler checks its registers itself
};

struct Opcode {
    std::string_view name;
    Format format;
    int16_t op11; ///< -1: not there
    int16_t op12;
    Handler handler = nullptr;
    Class cls = Class::other;
    OperandType dst{};
    std::array<OperandType, 3> src{};
    uint16_t flags = 0;
    MemoryShape memory{};

    bool is_8bit_matrix() const { return flags & kMatrix8; }
};

/// The row of an opcode, or null.
const Opcode* find_opcode(Arch arch, Format format, uint32_t number);
/// Every row, for coverage and for tests.
std::span<const Opcode* const> all_opcodes();

enum class OperandKind : uint8_t { none, vgpr, sgpr, constant, literal };

struct Operand {
    OperandKind kind = OperandKind::none;
    bool neg = false;
    bool abs = false;
    bool high = false;     ///< the upper 16 bits of the register
    bool is_float = false; ///< an inline constant that is a float: `value` holds its f32 bits
    uint16_t index = 0;    ///< register
    uint32_t value = 0;    ///< of a constant
};

/// Scalar registers with names. SCC is kept apart.
inline constexpr uint32_t kVcc = 106, kTtmp0 = 108, kNull = 124, kM0 = 125, kExec = 126, kScc = 253;

struct RegisterRange {
    uint16_t first = 0;
    uint8_t count = 0;
    bool scalar = false;
};

struct DppControl {
    std::array<uint8_t, 64> from{}; ///< lane that is read
    uint64_t in_range = 0;          ///< lanes whose source lane exists
    uint64_t enabled = 0;           ///< by row and bank mask
    bool bound_ctrl = false;        ///< what is out of range reads as 0 instead of switching the lane off
    bool fetch_inactive = false;
};

struct Instruction {
    const Opcode* opcode = nullptr;
    Handler handler = nullptr;
    Operand dst;
    Operand sdst; ///< scalar result of VOP3 with carry, mask of compares
    std::array<Operand, 3> src;
    uint8_t op_sel = 0, op_sel_hi = 0, neg_lo = 0, neg_hi = 0; ///< VOP3P; bit i for source i
    uint8_t omod = 0;
    bool clamp = false;
    bool offen = false, idxen = false, glc = false, gds = false;
    int32_t imm = 0; ///< simm16 or byte offset
    int32_t imm1 = 0;
    uint32_t dwords = 1; ///< size in the code
    std::unique_ptr<DppControl> dpp;
    std::unique_ptr<Instruction> pair; ///< the second half of a VOPD
    std::array<RegisterRange, 5> reads{};
    std::array<RegisterRange, 2> writes{};
    uint8_t n_reads = 0, n_writes = 0;
};

} // namespace vkinfer::rdna
