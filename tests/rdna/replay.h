// How long workgroups take that share a CU: what one group did is noted while it runs, instruction by instruction, and
// then played by as many groups as the hardware keeps there. Each unit serves one instruction after the other, waves
// issue in order and wait as the code says, and barriers hold a group together; so what low occupancy, barriers and
// units in turn cost shows, which no sum of clocks by unit tells. No constants but those of the model.
#pragma once

#include "rdna/wave.h"

#include <cstdint>
#include <vector>

namespace vkinfer::rdna {

enum class Unit : uint8_t { none, vector, scalar, lds, cache };

/// An instruction, or a wait for an operation.
struct TraceEvent {
    enum class Kind : uint8_t { instruction, wait, barrier };

    Kind kind = Kind::instruction;
    Unit unit = Unit::none;
    uint8_t issue_clocks = 0; ///< that pass before the wave's next instruction
    bool starts = false;      ///< an operation of `counter`
    Counter counter = Counter::load;
    uint16_t unit_clocks = 0; ///< that the unit is taken
    uint32_t operation = 0;   ///< that a wait is for, counted from 1
};

struct GroupTrace {
    std::vector<std::vector<TraceEvent>> waves;
    uint64_t wave_clocks = 0; ///< of all waves, each alone

    size_t size() const;
};

/// What counters say before an instruction.
struct TraceMark {
    std::array<uint32_t, kCounters> issued{}, completed{};
    uint64_t lds_cycles = 0, lines = 0;
};
TraceMark mark(const Wave& wave);
/// Adds the instruction that the wave has just executed.
void record(GroupTrace& trace, const Wave& wave, const Instruction& instruction, const TraceMark& before);

/// Where the groups are: the SIMDs of a CU or of a pair (a CU has two, and one LDS and cache), and how many groups fit.
struct ReplayPlace {
    uint32_t n_simds = 4;
    uint32_t n_resident = 1;
};
/// Clocks until n_groups groups are through.
uint64_t replay(const GroupTrace& trace, const Timing& timing, const ReplayPlace& place, uint32_t n_groups);

} // namespace vkinfer::rdna
