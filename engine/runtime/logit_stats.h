// Statistics of next-token distributions: perplexity, and how far one run's distributions are from another's.
#pragma once

#include "runtime/types.h"

#include <cstdint>
#include <span>
#include <vector>

namespace vkinfer::runtime {

/// log softmax of a row of logits, in float64 sums.
std::vector<float> log_probabilities(std::span<const float> logits);

/// A distribution to compare with: natural logarithms of probabilities, in steps of 16 / 65535 below the
/// largest; what lies lower counts as lowest. Two bytes a token of the vocabulary.
struct StoredDistribution {
    float largest = 0;
    std::vector<uint16_t> steps; ///< steps of 16 / 65535 below `largest`

    static StoredDistribution from(std::span<const float> log_probabilities);
    float at(size_t token) const { return largest - static_cast<float>(steps[token]) * (16.0f / 65535.0f); }
};

/// Mean, with the standard error of the mean.
class RunningMean {
public:
    void add(double x) {
        ++n_;
        const double before = x - mean_;
        mean_ += before / static_cast<double>(n_);
        squares_ += before * (x - mean_);
    }
    uint64_t n() const { return n_; }
    double mean() const { return mean_; }
    double standard_error() const;

private:
    uint64_t n_ = 0;
    double mean_ = 0, squares_ = 0;
};

/// What a text costs a model, position by position, and optionally against a base.
struct LogitStats {
    RunningMean nll;        ///< -ln p(next token)
    RunningMean divergence; ///< KL(base || this), nats
    RunningMean same_top;   ///< 1 where the most probable token is the base's
    double largest_divergence = 0;

    /// exp of the mean negative log likelihood.
    double perplexity() const;

    void add(std::span<const float> log_probabilities, Token next);
    void compare(std::span<const float> log_probabilities, const StoredDistribution& base);
};

} // namespace vkinfer::runtime
