// What a dispatch did, counted while it ran; off unless somebody asks.
#pragma once

#include "rdna/isa.h"

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>

namespace vkinfer::rdna {

inline constexpr uint64_t kLineBytes = 128; ///< a line of the vector caches of RDNA3 and RDNA4
inline constexpr uint32_t kLdsBanks = 32;   ///< dwords that one half of the LDS delivers a clock

/// Vector memory of one direction.
struct Traffic {
    uint64_t instructions = 0;
    uint64_t requested_bytes = 0; ///< over lanes; a value that all lanes read counts for each
    uint64_t unique_bytes = 0;    ///< distinct bytes within an instruction
    uint64_t lines = 0;           ///< cache lines touched, per instruction

    double line_utilisation() const {
        return lines == 0 ? 0 : static_cast<double>(unique_bytes) / static_cast<double>(lines * kLineBytes);
    }
    void add(std::span<const uint64_t> addresses, uint32_t bytes);
    void operator+=(const Traffic& other);
};

struct Counters {
    uint64_t waves = 0, groups = 0;
    std::array<uint64_t, kClasses> instructions{}; ///< executed by waves
    uint64_t matrix_flops = 0;
    Traffic loads, stores;
    uint64_t scalar_load_bytes = 0, scalar_lines = 0;
    uint64_t lds_cycles = 0;       ///< clocks that the LDS pipeline works, with conflicts
    uint64_t lds_ideal_cycles = 0; ///< without
    std::map<const Opcode*, uint64_t> opcodes;

    uint64_t total() const;
    void count(const Instruction& instruction);
    void scalar_load(uint64_t address, uint32_t bytes);
    /// One access of `bytes` by each of the addresses.
    void lds(std::span<const uint32_t> addresses, uint32_t bytes);
    void operator+=(const Counters& other);
};

/// A model of where the clocks go, from the counts alone: what each unit would need if it were the only one. Not a
/// measurement, and blind to latency, caches and waiting; docs/rdna-rig.md lists its constants.
struct CycleModel {
    double issue = 0;  ///< of a SIMD, over all waves
    double matrix = 0; ///< of a SIMD, over all waves
    double memory = 0; ///< of the vector cache of a CU: one line a clock
    double lds = 0;    ///< of the LDS of a CU, with its conflicts
};
CycleModel estimate(const Counters& counters, Arch arch, uint32_t lanes);

} // namespace vkinfer::rdna
