// What a dispatch did, counted while it ran; off unless somebody asks.
#pragma once

#include "rdna/wave.h"

#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <unordered_set>

namespace vkinfer::rdna {

inline constexpr uint64_t kLineBytes = 128; ///< a line of the vector caches of RDNA3 and RDNA4
inline constexpr uint32_t kLdsBanks = 32;   ///< dwords that one half of the LDS delivers a clock

/// Vector memory of one direction.
struct Traffic {
    uint64_t instructions = 0;
    uint64_t requested_bytes = 0; ///< over lanes; a value that all lanes read counts for each
    uint64_t unique_bytes = 0;    ///< distinct bytes within an instruction
    uint64_t lines = 0;           ///< cache lines touched, per instruction

    void scale(double factor);
    double line_utilisation() const {
        return lines == 0 ? 0 : static_cast<double>(unique_bytes) / static_cast<double>(lines * kLineBytes);
    }
    void add(std::span<const uint64_t> addresses, uint32_t bytes);
    void operator+=(const Traffic& other);
};

struct Counters {
    uint64_t waves = 0, groups = 0;
    std::array<uint64_t, kClasses> instructions{}; ///< executed by waves
    uint64_t matrix_8bit = 0;                      ///< matrix products of int8 or FP8 among them
    Traffic loads, stores;
    uint64_t scalar_load_bytes = 0, scalar_lines = 0;
    uint64_t lds_cycles = 0;       ///< clocks that the LDS pipeline works, with conflicts
    uint64_t lds_ideal_cycles = 0; ///< without
    uint64_t wave_clocks = 0;      ///< of waves alone, their waits among them, by the dispatch's Timing
    double together_clocks = 0;    ///< of the dispatch, its groups side by side (replay.h)

    uint64_t total() const;
    void count(const Instruction& instruction);
    void scalar_load(uint64_t address, uint32_t bytes);
    void load(std::span<const uint64_t> addresses, uint32_t bytes);
    void store(std::span<const uint64_t> addresses, uint32_t bytes);
    /// Distinct cache lines of a dispatch, summed over dispatches.
    uint64_t n_touched_lines() const { return earlier_lines_ + touched_.size(); }
    /// A sample of a dispatch's groups: which lines each touched is kept, and from how many of them only one or two
    /// touched follows how many all groups would (Chao's estimate, at most what lines of single groups add up to).
    void end_sampled_group();
    void extrapolate(uint64_t n_groups);
    /// One access of `bytes` by each of the addresses.
    void lds(std::span<const uint32_t> addresses, uint32_t bytes);
    /// Adds another dispatch.
    void operator+=(const Counters& other);

private:
    void touch(uint64_t address, uint32_t bytes);

    std::unordered_set<uint64_t> touched_;           ///< lines of the dispatch that is being counted
    std::unordered_map<uint64_t, uint32_t> sampled_; ///< groups of the sample, by line
    uint64_t earlier_lines_ = 0;                     ///< of those that were added
    uint64_t last_touched_ = ~uint64_t{0};
};

} // namespace vkinfer::rdna
