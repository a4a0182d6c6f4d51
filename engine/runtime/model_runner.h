// The border between scheduling and computing: evaluates batches of tokens of several sequences on one device.
#pragma once

#include "base/error.h"
#include "runtime/sampler.h"
#include "runtime/types.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vkinfer::runtime {

/// One token of a step.
struct StepToken {
    Token token = 0;
    int32_t position = 0; ///< 0-based place in its sequence; the tokens of a sequence come in ascending order
    int32_t sequence = 0; ///< 0 .. max_sequences - 1
    bool want_logits = false;
};

struct RunnerLimits {
    int32_t n_vocab = 0;
    int32_t n_ctx = 0; ///< tokens one sequence can hold
    int32_t max_sequences = 0;
    int32_t max_batch = 0;  ///< tokens of one evaluate() (micro-batch, -ub)
    int32_t max_logits = 0; ///< rows of logits of one evaluate()
};

/// A row of logits that the device samples: the next token after `history` (at least one token), as `sampler` would
/// choose it. Both must stay during the call.
struct SampledRow {
    const Sampler* sampler = nullptr;
    std::span<const Token> history;
    bool stops_at_end = true; ///< a token of set_end_tokens() is the row's last
};

// In place of a token in Generated::tokens.
inline constexpr Token kNoFiniteLogit = -1; ///< as of Sampler::sample()
inline constexpr Token kSampleOnHost = -2;  ///< this one is beyond the device; its logits are in Generated::logits
inline constexpr Token kNotGenerated = -3;  ///< the row had ended before

/// What generate() gives; views hold until the next call.
struct Generated {
    std::span<const Token> tokens; ///< (n_steps, number of rows)
    std::span<const float> logits; ///< of each row's last token, as the model gave them
};

/// How often each expert was chosen: n_layers x n_experts counts; dense layers have zeros.
struct ExpertLoad {
    uint32_t n_experts = 0; ///< 0: a dense model, or nobody counted
    uint32_t n_used = 0;    ///< choices of a token in a layer
    std::vector<uint32_t> counts;
};

/// A model on a device with its KV cache. Not thread-safe: one thread (the scheduler's) uses it.
class ModelRunner {
public:
    virtual ~ModelRunner() = default;

    virtual const RunnerLimits& limits() const = 0;

    /// Makes room in the KV cache for positions 0 .. n_tokens - 1 of a sequence. Errors: out_of_memory when the pages
    /// of the pool are used up (nothing is changed then), context_overflow beyond n_ctx.
    virtual Result<void> reserve(int32_t sequence, int32_t n_tokens) = 0;

    /// Forgets everything of a sequence from position n_tokens on and gives the pages back; 0 forgets it all.
    virtual void truncate(int32_t sequence, int32_t n_tokens) = 0;

    /// Evaluates at most max_batch tokens whose places were reserved, and stores their K and V. Returns the logits of
    /// the tokens that wanted them, row after row of n_vocab floats in order; the view holds until the next call.
    /// Errors: device_lost, out_of_memory.
    virtual Result<std::span<const float>> evaluate(std::span<const StepToken> tokens) = 0;

    /// How many steps one generate() may have that begins with these tokens; 0: the device does not sample such a step.
    virtual int32_t max_steps(std::span<const StepToken> tokens, std::span<const SampledRow> rows) {
        (void)tokens, (void)rows;
        return 0;
    }
    /// Like evaluate(), and chooses a token for each of `rows`, one for each token that wants logits. Then n_steps - 1
    /// times: evaluates the tokens chosen, each at the place after the one before, and chooses again. All places must
    /// be reserved; n_steps within max_steps().
    virtual Result<Generated> generate(std::span<const StepToken> tokens, std::span<const SampledRow> rows,
                                       int32_t n_steps) {
        (void)tokens, (void)rows, (void)n_steps;
        return fail(ErrorKind::unsupported, "This device does not sample.");
    }
    /// The tokens that end a row of generate().
    virtual void set_end_tokens(std::span<const Token> tokens) { (void)tokens; }

    /// One line that names device, driver and the kernel paths in use ("coopmat off, act f32, ...").
    virtual std::string describe() const = 0;

    /// Since the start, when the runner was made to count (EngineOptions::count_experts).
    virtual ExpertLoad expert_load() { return {}; }
};

} // namespace vkinfer::runtime
