// Choosing the next token from logits: logit bias, penalties, top-k, top-p, min-p, temperature, distribution, in that
// order (the order of llama.cpp).
//
// Reproducible on every platform: probabilities are 30-bit integers made by our own exp in plain float arithmetic, sums
// are integer sums (so any order, also a parallel one on a GPU, gives the same), and the random numbers are those of a
// counter-based generator: draw n of a seed depends on nothing else. shaders/sample_pick.comp chooses the same tokens.
#pragma once

#include "runtime/types.h"

#include <cstdint>
#include <span>
#include <vector>

namespace vkinfer::runtime {

/// Work memory of sampling. One per thread, shared by its samplers; it grows to the vocabulary and is kept.
class SamplerScratch {
public:
    SamplerScratch() = default;

private:
    friend class Sampler;
    struct Candidate {
        float logit;
        Token id;
    };
    std::vector<float> logits;
    std::vector<int32_t> counts; ///< of each token in the penalty window; all zero between calls
    std::vector<Token> distinct; ///< tokens of the window, each once
    std::vector<Candidate> candidates;
};

/// Samples one sequence. Parameters must have passed validate().
class Sampler {
public:
    /// `suppressed` tokens are never chosen.
    Sampler(SamplingParams params, uint64_t seed, std::vector<Token> suppressed = {});

    /// The next token after `history` (prompt and answer so far); -1 when no logit is above -infinity.
    Token sample(std::span<const float> logits, std::span<const Token> history, SamplerScratch& scratch);

    uint64_t seed() const { return seed_; }

    // What a device needs to choose as sample() does, and what it tells back.

    /// Added to the logit of its token before everything else; -infinity where it is suppressed. One for each token.
    struct Edit {
        Token token;
        float bias;
    };
    const SamplingParams& params() const { return params_; }
    std::span<const Edit> edits() const { return edits_; }
    bool is_greedy() const { return params_.temperature <= 0 || params_.top_k == 1; }
    bool has_penalties() const;
    /// The last tokens of `history` that the penalties look at.
    std::span<const Token> window(std::span<const Token> history) const;
    uint64_t n_drawn() const { return n_drawn_; }
    /// So many tokens were chosen elsewhere.
    void add_drawn(uint64_t n) { n_drawn_ += is_greedy() ? 0 : n; }
    /// The probability of top_p in units of 2^-32, for top_p below 1.
    uint32_t top_p_fraction() const;
    /// The smallest weight that min_p leaves.
    uint32_t least_weight() const;

private:
    using Candidate = SamplerScratch::Candidate;

    bool changes_logits(std::span<const Token> history) const;
    void change_logits(std::span<const float> logits, std::span<const Token> history, SamplerScratch& scratch) const;
    void select_top_k(std::span<const float> logits, std::vector<Candidate>& best) const;
    void select_by_probability(std::span<const float> logits, std::vector<Candidate>& best) const;
    uint64_t wanted_weight(uint64_t total) const;
    void cut(std::vector<Candidate>& sorted, uint64_t total) const;
    Token draw(std::span<const Candidate> candidates);
    Token draw_from_all(std::span<const float> logits);

    SamplingParams params_;
    uint64_t seed_;
    uint64_t n_drawn_ = 0;
    std::vector<Edit> edits_;
};

} // namespace vkinfer::runtime
