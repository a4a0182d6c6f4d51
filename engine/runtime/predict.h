// Estimates speed without a device: the real plan of a step, compiled for a profile's capabilities, and what each of
// its dispatches and barriers costs at stated rates. Tells what limits a step; not a substitute for measuring.
#pragma once

#include "runtime/device_rates.h"
#include "runtime/plan_model.h"

#include <cstdint>
#include <map>
#include <string>

namespace vkinfer::runtime {

/// What a dispatch is taken to wait for most.
enum class Bound : uint8_t { memory, vector, lds, cache, latency, rate };
const char* to_string(Bound bound);

/// The same op of all layers.
struct OpEstimate {
    uint32_t n_dispatches = 0;
    double ns = 0; ///< without overhead
    uint64_t bytes = 0;
    uint64_t flops = 0;
    std::string kernel;
    Bound bound = Bound::memory; ///< of the dispatch that takes longest
    double longest_ns = 0;
};

/// A step of n_tokens of one sequence behind `depth` others, with one row of logits.
struct StepEstimate {
    uint32_t n_tokens = 0;
    uint32_t depth = 0;
    uint64_t bytes = 0;
    uint64_t flops = 0;
    uint32_t n_dispatches = 0;
    uint32_t n_barriers = 0;
    double memory_ns = 0;                  ///< of dispatches that memory limits
    double arithmetic_ns = 0;              ///< of the others
    double overhead_ns = 0;                ///< dispatches, barriers, submission
    std::map<std::string, OpEstimate> ops; ///< by label, "blk.*.ffn_down"

    double step_ns() const { return memory_ns + arithmetic_ns + overhead_ns; }
    StepEstimate& operator+=(const StepEstimate& other);
};

/// At most n_ubatch tokens. Throws Error{unsupported} for a model that this version cannot run.
StepEstimate predict_step(const PlannedModel& planned, const DeviceRates& rates, uint32_t n_tokens, uint32_t depth);
/// A prompt in steps of n_ubatch.
StepEstimate predict_prompt(const PlannedModel& planned, const DeviceRates& rates, uint32_t n_tokens);

} // namespace vkinfer::runtime
