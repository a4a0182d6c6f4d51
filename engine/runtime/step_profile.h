// Where the time of steps goes: collects what timestamps said of every dispatch, in sums per kernel and per place in
// the model, prompts and decoding apart. A runner that was given one (EngineOptions::profile) times its steps; timing
// costs time itself, so the rates of a profiled run are a little low.
#pragma once

#include "graph/executor.h"
#include "graph/submit_budget.h"

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace vkinfer::runtime {

/// What a step was for: a step in which any sequence has several tokens reads a prompt.
enum class StepPhase : uint8_t { prefill, decode };
inline constexpr size_t kStepPhases = 2;
const char* to_string(StepPhase phase);

/// What a dispatch does in the model.
enum class ModelPart : uint8_t { products, attention, expert_products, routing, rest };
inline constexpr size_t kModelParts = 5;
const char* to_string(ModelPart part);
ModelPart part_of(const graph::PlannedDispatch& dispatch);
/// "blk.3.ffn_down" -> "blk.*.ffn_down": the same op of all layers.
std::string without_layer(const std::string& label);

struct ProfileSum {
    uint64_t n_dispatches = 0;
    double ns = 0;
    uint64_t bytes = 0; ///< that it cannot avoid to move
    uint64_t flops = 0;
};

struct PhaseProfile {
    uint64_t n_steps = 0;
    uint64_t n_tokens = 0;
    uint64_t n_dispatches = 0; ///< of all steps
    uint64_t n_barriers = 0;
    uint64_t bytes = 0; ///< of all dispatches
    uint64_t flops = 0;
    double device_ns = 0; ///< from the first dispatch of each step to its last
    double wall_ns = 0;   ///< on the host, from the submission to its end
    std::map<std::string, ProfileSum> by_kernel;
    std::map<std::string, ProfileSum> by_label;
    std::array<ProfileSum, kModelParts> by_part{};
};

/// One dispatch or one whole step, for a trace.
struct ProfileEvent {
    std::string name, kernel; ///< a step has no kernel
    double begin_ns = 0, end_ns = 0;
    uint64_t bytes = 0, flops = 0;
    uint64_t step = 0;
};

/// Filled by one thread and read when that rests.
class StepProfile {
public:
    /// Steps beyond this many dispatches are counted but not kept for the trace.
    static constexpr size_t kMaxEvents = 400'000;

    struct Options {
        bool takes_times = true;     ///< false: only counts bytes, flops and dispatches, which costs nothing
        bool counts_kernels = false; ///< sums per kernel without times, too
        bool keeps_events = false;   ///< for a trace
    };

    explicit StepProfile(const Options& options) : options_(options) {}

    bool takes_times() const { return options_.takes_times; }

    /// Whether steps count now; what runs in between (warming up, filling a cache) is left out.
    bool is_active = true;

    /// `times` may be empty where the device has no timestamps: the step then counts without its dispatches.
    void add_step(StepPhase phase, uint64_t n_tokens, const graph::Plan& plan, std::span<const graph::Cost> costs,
                  std::span<const graph::DispatchTime> times, double wall_ns);
    /// A further plan of the last step.
    void continue_step(StepPhase phase, const graph::Plan& plan, std::span<const graph::Cost> costs,
                       std::span<const graph::DispatchTime> times);
    /// Forgets the sums; events stay.
    void clear();

    const PhaseProfile& phase(StepPhase phase) const { return phases_[static_cast<size_t>(phase)]; }
    const std::vector<ProfileEvent>& events() const { return events_; }
    uint64_t n_dropped_steps() const { return n_dropped_steps_; }

private:
    Options options_;
    std::array<PhaseProfile, kStepPhases> phases_;
    std::vector<ProfileEvent> events_;
    uint64_t n_steps_ = 0;
    uint64_t n_dropped_steps_ = 0;
};

} // namespace vkinfer::runtime
