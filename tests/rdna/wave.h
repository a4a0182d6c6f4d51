// The state of a wave and of the workgroup it belongs to, and how an error in a kernel is reported.
#pragma once

#include "rdna/isa.h"
#include "rdna/memory.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <format>
#include <stdexcept>
#include <string>
#include <vector>

namespace vkinfer::rdna {

/// A fault that the rig found in what it ran, or something that it cannot run.
class Fault : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

template<class... Args>
[[noreturn]] void fault(std::format_string<Args...> text, Args&&... args) {
    throw Fault(std::format(text, std::forward<Args>(args)...));
}

struct Counters;

enum class Counter : uint8_t { load, store, ds, scalar };
inline constexpr size_t kCounters = 4;

/// One dword of LDS as seen by the checks. Epochs count barriers and never repeat, so nothing is cleared between
/// groups.
struct LdsCell {
    uint32_t write_epoch = 0, read_epoch = 0;
    uint8_t writer = 0, reader = 0; ///< wave; 255: several
    uint8_t written = 0, read = 0;  ///< bytes in that epoch
    uint32_t group = 0;             ///< workgroup that wrote it first
    uint8_t defined = 0;            ///< bytes written since the group started
};

/// How long things take a wave that is alone, in clocks: model.h fills it for a chip and a dispatch.
struct Timing {
    std::array<uint32_t, kClasses> issue{}; ///< of an instruction
    uint32_t matrix_8bit = 0;
    std::array<uint32_t, kCounters> latency{}; ///< from an operation's issue to the end of a wait for it

    uint32_t issue_of(const Instruction& in) const {
        if (in.opcode->is_8bit_matrix()) return matrix_8bit;
        return issue[static_cast<size_t>(in.pair ? Class::dual : in.opcode->cls)];
    }
};

struct GroupTrace;

struct Workgroup {
    Arch arch = Arch::gfx12;
    AddressSpace* memory = nullptr;
    Counters* counters = nullptr;   ///< null: nothing is counted
    const Timing* timing = nullptr; ///< null: waves have no clocks
    GroupTrace* trace = nullptr;    ///< null: the group is not noted for a replay
    bool check = true;
    bool strict_reads = false;
    uint64_t reads_beyond = 0; ///< loads that reached beyond the end of a buffer and got zeros there
    std::vector<std::byte> lds;
    std::vector<LdsCell> lds_cells;
    uint32_t lds_bytes = 0; ///< allocated to the group
    uint32_t epoch = 1;     ///< barriers passed, over all groups
    uint32_t number = 0;    ///< of the group in its dispatch, plus one
};

enum class WaveState : uint8_t { running, barrier, done };

inline constexpr uint32_t kPoison = 0x7fc0dead; ///< a NaN as f32; in registers that nobody has written

struct Wave {
    alignas(64) uint32_t v[256][64];
    uint32_t s[128];
    bool scc = false;
    uint32_t lanes = 32;
    uint32_t pc = 0; ///< in dwords from the start of the code
    uint32_t next_pc = 0;
    WaveState state = WaveState::running;
    bool signalled = false; ///< gfx12: between barrier_signal and barrier_wait
    uint8_t index = 0;      ///< in the group
    Workgroup* group = nullptr;
    uint64_t code_address = 0;
    std::vector<std::byte> scratch; ///< lanes one after the other
    uint32_t scratch_bytes = 0;     ///< of a lane

    // What the checks know of registers: lanes that were written, and the counter that has to pass before use.
    uint64_t v_defined[256];
    bool s_defined[128];
    uint32_t v_pending[256]; ///< sequence number << 2 | Counter; 0: nothing
    uint32_t s_pending[128];
    std::array<uint32_t, kCounters> issued{}, completed{};
    uint64_t clock = 0; ///< since the wave's start, if it were alone in the SIMD
    std::array<std::array<uint64_t, 64>, kCounters> issued_at{}; ///< of the last 64 operations

    uint64_t exec() const { return lanes == 64 ? pair(kExec) : s[kExec]; }
    uint64_t pair(uint32_t r) const { return s[r] | uint64_t{s[r + 1]} << 32; }
    void set_pair(uint32_t r, uint64_t value) {
        s[r] = static_cast<uint32_t>(value);
        s[r + 1] = static_cast<uint32_t>(value >> 32);
    }
    /// A lane mask: one register in wave32, two in wave64.
    uint64_t mask(uint32_t r) const { return lanes == 64 ? pair(r) : s[r]; }
    void set_mask(uint32_t r, uint64_t value) {
        if (r == kNull) return;
        s[r] = static_cast<uint32_t>(value);
        if (lanes == 64) s[r + 1] = static_cast<uint32_t>(value >> 32);
    }
    uint64_t all_lanes() const { return lanes == 64 ? ~uint64_t{0} : 0xffffffffull; }
};

/// Calls f(lane) for every set bit.
template<class F>
void for_lanes(uint64_t mask, F&& f) {
    for (; mask != 0; mask &= mask - 1) f(static_cast<uint32_t>(std::countr_zero(mask)));
}

} // namespace vkinfer::rdna
