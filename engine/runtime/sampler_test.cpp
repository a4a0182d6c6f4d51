#include "runtime/sampler.h"

#include "runtime/sampling_math.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <map>
#include <numeric>
#include <random>

using namespace vkinfer;
using namespace vkinfer::runtime;

namespace {

SamplingParams plain() {
    SamplingParams params;
    params.temperature = 1;
    params.top_k = 0;
    params.top_p = 1;
    params.min_p = 0;
    return params;
}

/// The distribution after all filters, straight from the definitions, in double.
std::map<Token, double> reference(const SamplingParams& params, std::vector<float> logits,
                                  const std::vector<Token>& history) {
    for (const auto& [token, bias] : params.logit_bias) logits[static_cast<size_t>(token)] += bias;
    const size_t window =
        params.repeat_last_n < 0 ? history.size() : std::min(history.size(), static_cast<size_t>(params.repeat_last_n));
    std::map<Token, int> counts;
    for (size_t i = history.size() - window; i < history.size(); ++i) ++counts[history[i]];
    for (const auto& [token, count] : counts) {
        float& logit = logits[static_cast<size_t>(token)];
        logit = logit > 0 ? logit / params.repeat_penalty : logit * params.repeat_penalty;
        logit -= static_cast<float>(count) * params.frequency_penalty + params.presence_penalty;
    }
    std::vector<Token> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(
        order, [&](Token a, Token b) { return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)]; });
    const auto logit = [&](Token token) { return static_cast<double>(logits[static_cast<size_t>(token)]); };
    if (params.temperature == 0) return {{order[0], 1.0}};
    if (params.top_k > 0 && static_cast<size_t>(params.top_k) < order.size()) {
        order.resize(static_cast<size_t>(params.top_k));
    }
    double total = 0;
    for (const Token token : order) total += std::exp(logit(token) - logit(order[0]));
    if (params.top_p < 1) {
        double sum = 0;
        for (size_t i = 0; i < order.size(); ++i) {
            sum += std::exp(logit(order[i]) - logit(order[0])) / total;
            if (sum >= static_cast<double>(params.top_p)) {
                order.resize(i + 1);
                break;
            }
        }
    }
    std::erase_if(order, [&](Token token) {
        return std::exp(logit(token) - logit(order[0])) < static_cast<double>(params.min_p);
    });
    std::map<Token, double> probabilities;
    double sum = 0;
    for (const Token token : order) {
        const double p = std::exp((logit(token) - logit(order[0])) / static_cast<double>(params.temperature));
        probabilities[token] = p;
        sum += p;
    }
    for (auto& [token, p] : probabilities) p /= sum;
    return probabilities;
}

std::vector<float> random_logits(std::mt19937& random, size_t n, float deviation) {
    std::normal_distribution<float> normal(0, deviation);
    std::vector<float> logits(n);
    for (float& logit : logits) logit = normal(random);
    return logits;
}

/// Draws often and compares frequencies with the reference; tokens outside of it must never come.
void check_distribution(const SamplingParams& params, const std::vector<float>& logits,
                        const std::vector<Token>& history) {
    const auto expected = reference(params, logits, history);
    Sampler sampler(params, 42);
    SamplerScratch scratch;
    constexpr int kDraws = 20000;
    std::map<Token, int> seen;
    for (int i = 0; i < kDraws; ++i) ++seen[sampler.sample(logits, history, scratch)];
    for (const auto& [token, count] : seen) CHECK_MESSAGE(expected.contains(token), "token ", token);
    for (const auto& [token, p] : expected) {
        // Five standard deviations of a binomial count; each comparison fails by chance once in two million.
        const double slack = 5 * std::sqrt(kDraws * p * (1 - p)) + 1;
        CHECK(std::abs(seen[token] - kDraws * p) <= slack);
    }
}

} // namespace

TEST_CASE("exp_weight follows exp and ends at zero") {
    CHECK(exp_weight(0.0f) == kFullWeight);
    CHECK(exp_weight(-0.0f) == kFullWeight);
    CHECK(exp_weight(-1000.0f) == 0);
    CHECK(exp_weight(-std::numeric_limits<float>::infinity()) == 0);
    CHECK(exp_weight(std::nanf("")) == 0);
    for (double x = 0; x > -21.4; x -= 0.00137) {
        const double exact = std::exp(static_cast<double>(static_cast<float>(x))) * kFullWeight;
        CHECK(std::abs(exp_weight(static_cast<float>(x)) - exact) <= exact / (1 << 22) + 0.5001);
    }
}

TEST_CASE("a token has one edit: the sum of its biases, or that it never comes") {
    SamplingParams params = plain();
    params.logit_bias = {{7, 1.5f}, {3, -2.0f}, {7, 0.25f}, {9, 4.0f}};
    const Sampler sampler(params, 1, {9, 2, 2});
    std::map<Token, float> edits;
    for (const Sampler::Edit& edit : sampler.edits()) edits[edit.token] = edit.bias;
    constexpr float kNever = -std::numeric_limits<float>::infinity();
    CHECK(sampler.edits().size() == 4);
    CHECK(edits == std::map<Token, float>{{2, kNever}, {3, -2.0f}, {7, 1.75f}, {9, kNever}});
}

TEST_CASE("the random numbers are those of Philox4x32-10") {
    CHECK(random_bits(0, 0) == 0xe169c58d6627e8d5u); // the known answer that its authors publish for all zeros
    CHECK(random_bits(1, 2) == random_bits(1, 2));
    CHECK(random_bits(1, 2) != random_bits(2, 1));
}

TEST_CASE("multiply_high is the upper half of the product") {
    CHECK(multiply_high(~uint64_t{0}, ~uint64_t{0}) == ~uint64_t{0} - 1);
    CHECK(multiply_high(uint64_t{1} << 63, 6) == 3);
    CHECK(multiply_high(0x123456789abcdef0u, 0xfedcba9876543210u) == 0x121fa00ad77d7422u);
}

TEST_CASE("greedy takes the highest logit, the first of equal ones") {
    SamplingParams params;
    params.temperature = 0;
    Sampler sampler(params, 1);
    SamplerScratch scratch;
    std::vector<float> logits(100, 1.0f);
    CHECK(sampler.sample(logits, {}, scratch) == 0);
    logits[77] = 3;
    logits[78] = 3;
    CHECK(sampler.sample(logits, {}, scratch) == 77);
    logits[3] = std::nanf("");
    CHECK(sampler.sample(logits, {}, scratch) == 77);
    logits.assign(100, -std::numeric_limits<float>::infinity());
    CHECK(sampler.sample(logits, {}, scratch) == -1);
    logits.assign(100, std::nanf(""));
    CHECK(sampler.sample(logits, {}, scratch) == -1);
    params = {};
    for (const int32_t top_k : {0, 40}) {
        params.top_k = top_k;
        CHECK(Sampler(params, 1).sample(logits, {}, scratch) == -1);
    }
}

TEST_CASE("the distribution is that of the definitions") {
    std::mt19937 random(3);
    const auto logits = random_logits(random, 100, 2.0f);
    const std::vector<Token> history = {1, 5, 5, 9, 1, 1, 40, 41, 42};

    SUBCASE("temperature alone") {
        SamplingParams params = plain();
        for (const float temperature : {0.5f, 1.0f, 2.0f}) {
            params.temperature = temperature;
            check_distribution(params, logits, {});
        }
    }
    SUBCASE("top-k") {
        SamplingParams params = plain();
        for (const int32_t k : {1, 2, 7, 99, 100, 1000}) {
            params.top_k = k;
            check_distribution(params, logits, {});
        }
    }
    SUBCASE("top-p, with and without top-k") {
        SamplingParams params = plain();
        for (const int32_t k : {0, 20}) {
            params.top_k = k;
            for (const float p : {0.0f, 0.1f, 0.5f, 0.9f, 0.999f}) {
                params.top_p = p;
                check_distribution(params, logits, {});
            }
        }
    }
    SUBCASE("min-p, with and without top-k") {
        SamplingParams params = plain();
        for (const int32_t k : {0, 20}) {
            params.top_k = k;
            for (const float p : {0.01f, 0.2f, 1.0f}) {
                params.min_p = p;
                check_distribution(params, logits, {});
            }
        }
    }
    SUBCASE("everything together") {
        SamplingParams params;
        params.temperature = 0.8f;
        params.repeat_penalty = 1.3f;
        params.presence_penalty = 0.5f;
        params.frequency_penalty = 0.25f;
        params.repeat_last_n = 6;
        params.logit_bias = {{7, 3.0f}, {8, -std::numeric_limits<float>::infinity()}};
        check_distribution(params, logits, history);
        params.repeat_last_n = -1;
        params.top_k = 0;
        check_distribution(params, logits, history);
    }
}

TEST_CASE("filters agree with a full sort on peaked and flat logits of many sizes") {
    std::mt19937 random(11);
    SamplerScratch scratch;
    for (int round = 0; round < 300; ++round) {
        const size_t n = 1 + random() % 3000;
        const auto logits = random_logits(random, n, 0.05f + static_cast<float>(random() % 100) / 10);
        SamplingParams params = plain();
        if (random() % 2) params.top_k = static_cast<int32_t>(random() % 200);
        if (random() % 2) params.top_p = static_cast<float>(random() % 1000) / 1000;
        if (random() % 2) params.min_p = static_cast<float>(random() % 1000) / 5000;
        const auto expected = reference(params, logits, {});
        Sampler sampler(params, round);
        for (int i = 0; i < 20; ++i) {
            const Token token = sampler.sample(logits, {}, scratch);
            // A cumulative sum may end one candidate earlier or later than in double: then its share is at the edge.
            if (!expected.contains(token)) {
                std::map<Token, double> wider;
                SamplingParams loose = params;
                loose.top_p = std::min(1.0f, params.top_p + 1e-5f);
                loose.min_p = params.min_p * 0.9999f;
                CHECK(reference(loose, logits, {}).contains(token));
            }
        }
    }
}

TEST_CASE("a seed reproduces its tokens, and suppressed tokens never come") {
    std::mt19937 random(5);
    const auto logits = random_logits(random, 512, 1.0f);
    SamplerScratch scratch;
    const auto draw = [&](uint64_t seed, std::vector<Token> suppressed) {
        Sampler sampler(plain(), seed, std::move(suppressed));
        std::vector<Token> tokens;
        for (int i = 0; i < 200; ++i) tokens.push_back(sampler.sample(logits, tokens, scratch));
        return tokens;
    };
    CHECK(draw(1, {}) == draw(1, {}));
    CHECK(draw(1, {}) != draw(2, {}));
    const auto all = draw(1, {});
    for (const Token token : draw(1, {all[0], all[1], -5, 9999})) CHECK((token != all[0] && token != all[1]));
}

TEST_CASE("the tokens of a seed are fixed for good") {
    // Guards reproducibility over platforms, compilers and versions: recorded once from this implementation.
    std::vector<float> logits(1000);
    for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>((i * 7919) % 1000) / 100.0f;
    SamplerScratch scratch;
    const auto draw = [&](const SamplingParams& params) {
        Sampler sampler(params, 12345);
        std::vector<Token> tokens;
        for (int i = 0; i < 8; ++i) tokens.push_back(sampler.sample(logits, tokens, scratch));
        return tokens;
    };
    CHECK(draw(SamplingParams{}) == std::vector<Token>{926, 605, 531, 741, 284, 247, 531, 889});
    CHECK(draw(plain()) == std::vector<Token>{198, 150, 322, 594, 124, 223, 334, 272});
}

TEST_CASE("validate names the field") {
    const auto message = [](auto change) {
        SamplingParams params;
        change(params);
        const auto result = params.validate();
        return result ? std::string() : result.error().message();
    };
    CHECK(message([](SamplingParams&) {}).empty());
    CHECK(message([](SamplingParams& p) { p.temperature = -1; }).contains("temperature"));
    CHECK(message([](SamplingParams& p) { p.temperature = std::nanf(""); }).contains("temperature"));
    CHECK(message([](SamplingParams& p) { p.top_k = -2; }).contains("top_k"));
    CHECK(message([](SamplingParams& p) { p.top_p = 1.5f; }).contains("top_p"));
    CHECK(message([](SamplingParams& p) { p.min_p = -0.1f; }).contains("min_p"));
    CHECK(message([](SamplingParams& p) { p.repeat_penalty = 0; }).contains("repeat_penalty"));
    CHECK(message([](SamplingParams& p) { p.repeat_last_n = -2; }).contains("repeat_last_n"));
    CHECK(message([](SamplingParams& p) { p.presence_penalty = HUGE_VALF; }).contains("presence_penalty"));
    CHECK(message([](SamplingParams& p) { p.frequency_penalty = -HUGE_VALF; }).contains("frequency_penalty"));
    CHECK(message([](SamplingParams& p) { p.logit_bias = {{1, HUGE_VALF}}; }).contains("logit_bias"));
    CHECK(message([](SamplingParams& p) { p.logit_bias = {{1, -HUGE_VALF}}; }).empty());
}
