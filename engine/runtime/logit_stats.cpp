#include "runtime/logit_stats.h"

#include <algorithm>
#include <cmath>

namespace vkinfer::runtime {

std::vector<float> log_probabilities(std::span<const float> logits) {
    const float largest = *std::ranges::max_element(logits);
    double sum = 0;
    for (const float x : logits) sum += std::exp(double{x} - double{largest});
    const double shift = double{largest} + std::log(sum);
    std::vector<float> result(logits.size());
    std::ranges::transform(logits, result.begin(), [&](float x) { return static_cast<float>(double{x} - shift); });
    return result;
}

StoredDistribution StoredDistribution::from(std::span<const float> log_probabilities) {
    StoredDistribution stored;
    stored.largest = *std::ranges::max_element(log_probabilities);
    stored.steps.reserve(log_probabilities.size());
    for (const float x : log_probabilities) {
        const float below = std::min((stored.largest - x) * (65535.0f / 16.0f), 65535.0f);
        stored.steps.push_back(static_cast<uint16_t>(std::lround(below)));
    }
    return stored;
}

double RunningMean::standard_error() const {
    if (n_ < 2) return 0;
    const auto n = static_cast<double>(n_);
    return std::sqrt(squares_ / (n - 1) / n);
}

double LogitStats::perplexity() const {
    return std::exp(nll.mean());
}

void LogitStats::add(std::span<const float> log_probabilities, Token next) {
    nll.add(-double{log_probabilities[static_cast<size_t>(next)]});
}

void LogitStats::compare(std::span<const float> log_probabilities, const StoredDistribution& base) {
    double sum = 0;
    for (size_t i = 0; i < log_probabilities.size(); ++i) {
        if (base.steps[i] == UINT16_MAX) continue; // beyond what is stored: less than 1e-7 of the largest
        const double p = double{base.at(i)};
        sum += std::exp(p) * (p - double{log_probabilities[i]});
    }
    divergence.add(std::max(sum, 0.0));
    largest_divergence = std::max(largest_divergence, sum);
    const auto top = std::ranges::max_element(log_probabilities) - log_probabilities.begin();
    same_top.add(base.steps[static_cast<size_t>(top)] == 0 ? 1 : 0);
}

} // namespace vkinfer::runtime
