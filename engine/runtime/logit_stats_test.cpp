#include "runtime/logit_stats.h"

#include <array>
#include <cmath>
#include <doctest/doctest.h>
#include <vector>

using namespace vkinfer::runtime;

TEST_CASE("log softmax, and perplexity as exp of the mean negative log likelihood") {
    const std::array logits{1.0f, 3.0f, 1000.0f, 999.0f};
    const auto p = log_probabilities(logits);
    CHECK(p[2] == doctest::Approx(-std::log1p(std::exp(-1.0))));
    CHECK(p[3] == doctest::Approx(p[2] - 1));
    CHECK(p[0] == doctest::Approx(p[2] - 999));

    LogitStats stats;
    const std::vector<float> uniform(8, std::log(1.0f / 8));
    for (const Token next : {0, 3, 7}) stats.add(uniform, next);
    CHECK(stats.perplexity() == doctest::Approx(8));
    CHECK(stats.nll.standard_error() == doctest::Approx(0));
}

TEST_CASE("divergence from a stored base") {
    const auto base = log_probabilities(std::array{0.0f, 1.0f, 2.0f, -30.0f});
    const StoredDistribution stored = StoredDistribution::from(base);
    for (size_t i = 0; i < 3; ++i) CHECK(stored.at(i) == doctest::Approx(base[i]).epsilon(0.001));
    CHECK(stored.steps[3] == UINT16_MAX);

    LogitStats same;
    same.compare(base, stored);
    CHECK(same.divergence.mean() < 1e-3);
    CHECK(same.same_top.mean() == 1);

    LogitStats other;
    const auto moved = log_probabilities(std::array{2.0f, 1.0f, 0.0f, -30.0f});
    other.compare(moved, stored);
    double expected = 0;
    for (size_t i = 0; i < 3; ++i) expected += std::exp(double{base[i]}) * (double{base[i]} - double{moved[i]});
    CHECK(other.divergence.mean() == doctest::Approx(expected).epsilon(0.01));
    CHECK(other.largest_divergence == doctest::Approx(expected).epsilon(0.01));
    CHECK(other.same_top.mean() == 0);
}
