// An estimate of clocks from counts: what each unit of the chip would need for a dispatch if it were the only one, what
// a wave would need alone, and what groups side by side do. Not a measurement. Every constant stands in one table with
// its source, which `vkinfer shaders --emulate` prints.
#pragma once

#include "rdna/counters.h"
#include "rdna/machine.h"
#include "rdna/replay.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace vkinfer::rdna {

/// The product that a chip of the no-op device is taken for; from AMD's data sheets.
struct Chip {
    std::string_view id; ///< AMDGPU_GPU_ID
    std::string_view product;
    Arch arch;
    uint32_t compute_units; ///< two SIMDs each
    uint32_t vgprs;         ///< registers of a SIMD, as of waves of 32
    uint32_t vgpr_granule;  ///< a wave of 32 gets a multiple of it
    double clock_ghz;
    double memory_gb_per_s;
    double memory_share; ///< of it that reading alone reaches, as measured by others
};
/// The first row with that id whose product contains the text; nothing where there is none.
const Chip* find_chip(std::string_view id, std::string_view product = {});

enum class Cost : uint8_t {
    instruction,
    vector_wave64,
    transcendental,
    matrix_gfx11,
    matrix_gfx12,
    matrix_gfx12_8bit,
    line,
    lds,
    load_latency,
    scalar_latency,
    lds_latency,
    max_waves,
    lds_bytes,
};
struct ModelConstant {
    Cost cost;
    std::string_view name;
    double value;
    std::string_view unit;
    std::string_view source;
};
std::span<const ModelConstant> model_constants();

Timing timing_of(const Dispatch& dispatch, const Chip& chip);

/// Waves that a SIMD holds at a time, by registers and LDS.
uint32_t occupancy(const Dispatch& dispatch, const Chip& chip);

/// Clocks of a dispatch whose groups all do what the trace says: those of the CU that gets most of them, which takes
/// whole groups. 0 where that would be too long to play.
double clocks_together(const GroupTrace& trace, const Timing& timing, const Dispatch& dispatch, const Chip& chip,
                       uint64_t n_groups);

/// Clocks of a dispatch by unit, each as if it were the only one.
struct Estimate {
    double vector = 0;   ///< a SIMD's vector pipe, matrix products among it
    double matrix = 0;   ///< that part of it
    double scalar = 0;   ///< a SIMD's scalar pipe
    double memory = 0;   ///< a CU's vector cache, in lines
    double lds = 0;      ///< a CU's LDS, with its conflicts
    double dram = 0;     ///< every line that the dispatch touches, once from memory
    double latency = 0;  ///< waves one after the other, each waiting for its loads: what occupancy hides
    double together = 0; ///< groups side by side: units in turn, waits and barriers as occupancy hides them
    double wave = 0;     ///< one wave alone: issue and latency
    double issue = 0;    ///< vector work of all waves together, over SIMDs that are all full

    double clocks() const;
    /// The unit that needs most: "vector", "dram", ...
    std::string_view bound() const;
    void operator+=(const Estimate& other);
};
Estimate estimate(const Counters& counters, const Dispatch& dispatch, const Chip& chip);

} // namespace vkinfer::rdna
