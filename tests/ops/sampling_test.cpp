// The device chooses the tokens that runtime::Sampler chooses, to the bit: every filter, several rows at once, several
// steps in a row with windows and random numbers moving on, and what the step's records become.
#include "graph/executor.h"
#include "ops/harness.h"
#include "runtime/device_sampler.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <doctest/doctest.h>
#include <limits>

using namespace vkinfer;
using namespace vkinfer::runtime;
using namespace vkinfer::test;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// A step buffer, rows of logits and an arena, as the runner has them.
struct Bench {
    OpHarness& h = harness();
    uint32_t n_rows, n_vocab;
    graph::StepLayout layout;
    gpu::Buffer step, logits, arena;
    kernels::Policy policy = h.policy();
    DeviceSampler sampler;

    Bench(uint32_t rows, uint32_t vocab)
        : n_rows(rows), n_vocab(vocab), layout{.max_tokens = rows,
                                               .max_outputs = rows,
                                               .max_tiles = 2 * rows,
                                               .max_sequences = rows,
                                               .max_pages = 1,
                                               .max_samples = rows},
          step(h.device(), {.size_bytes = layout.size_bytes(), .domain = gpu::Domain::upload, .name = "step"}),
          logits(h.buffer(uint64_t{4} * rows * vocab)),
          arena(h.buffer(graph::compile(sampling_graph(rows, vocab, layout), policy).arena_bytes)),
          sampler(h.device(), h.pipelines(), policy, layout, step, logits, vocab) {
        std::memset(step.mapped(), 0, layout.size_bytes());
    }
    template<class T>
    T* at(uint64_t offset) {
        return reinterpret_cast<T*>(step.mapped() + offset);
    }
    /// Tokens of n_steps steps over the same logits.
    std::vector<Token> run(std::span<const float> values, std::span<const SampledRow> rows, uint32_t n_steps) {
        h.write(logits, std::as_bytes(values));
        auto* counts = at<uint32_t>(layout.counts_offset());
        counts[graph::kCountTokens] = counts[graph::kCountOutputs] = static_cast<uint32_t>(rows.size());
        for (uint32_t r = 0; r < rows.size(); ++r) {
            at<uint32_t>(layout.outputs_offset())[r] = r;
            at<graph::StepTokenRecord>(layout.tokens_offset())[r] = {.token = 7, .position = 100 * r, .sequence = r};
            for (uint32_t t = 0; t < 2; ++t) {
                at<graph::StepTileRecord>(layout.tiles_offset())[2 * r + t] = {.sequence = r,
                                                                               .first_position = 100 * r};
            }
        }
        sampler.write(rows, n_steps, 2);
        for (uint32_t s = 0; s < n_steps; ++s) {
            h.device().wait(sampler.plan(static_cast<uint32_t>(rows.size()), arena).submit());
        }
        const auto results = sampler.results(static_cast<uint32_t>(rows.size()), n_steps);
        return {results.begin(), results.end()};
    }
};

SamplingParams params(float temperature, int32_t top_k, float top_p, float min_p) {
    SamplingParams made;
    made.temperature = temperature;
    made.top_k = top_k;
    made.top_p = top_p;
    made.min_p = min_p;
    return made;
}

/// One parameter set for each row; the device's tokens against those of the CPU's sampler.
void compare(uint32_t n_vocab, std::span<const float> one_row, const std::vector<SamplingParams>& sets,
             uint32_t n_steps, const std::vector<Token>& suppressed = {}) {
    const auto n_rows = static_cast<uint32_t>(sets.size());
    Bench bench(n_rows, n_vocab);
    std::vector<float> values;
    for (uint32_t r = 0; r < n_rows; ++r) values.insert(values.end(), one_row.begin(), one_row.end());
    std::vector<Sampler> samplers;
    std::vector<std::vector<Token>> histories(n_rows);
    for (uint32_t r = 0; r < n_rows; ++r) {
        samplers.emplace_back(sets[r], 1000 + r, suppressed);
        for (uint32_t i = 0; i < 3 + 20 * r; ++i) {
            histories[r].push_back(static_cast<Token>((i * i * 31 + r) % std::min(n_vocab, 50u)));
        }
    }
    std::vector<SampledRow> rows;
    for (uint32_t r = 0; r < n_rows; ++r) rows.push_back({&samplers[r], histories[r], false});
    REQUIRE(bench.sampler.suits(rows));
    const std::vector<Token> got = bench.run(values, rows, n_steps);
    SamplerScratch scratch;
    for (uint32_t r = 0; r < n_rows; ++r) {
        for (uint32_t s = 0; s < n_steps; ++s) {
            const Token expected = samplers[r].sample(one_row, histories[r], scratch);
            INFO("vocabulary ", n_vocab, ", row ", r, ", step ", s);
            CHECK(got[s * n_rows + r] == expected);
            histories[r].push_back(expected);
        }
        const auto& record = bench.at<graph::StepTokenRecord>(bench.layout.tokens_offset())[r];
        CHECK(record.token == static_cast<uint32_t>(histories[r].back()));
        CHECK(record.position == 100 * r + n_steps);
        CHECK(record.sequence == r);
        for (uint32_t t = 0; t < 2; ++t) {
            const auto& tile = bench.at<graph::StepTileRecord>(bench.layout.tiles_offset())[2 * r + t];
            CHECK(tile.first_position == 100 * r + n_steps);
        }
    }
}

} // namespace

TEST_CASE("sampling: every filter chooses what the CPU chooses") {
    SamplingParams penalised = params(0.9f, 40, 0.95f, 0.05f);
    penalised.repeat_penalty = 1.3f;
    penalised.presence_penalty = 0.5f;
    penalised.frequency_penalty = 0.25f;
    penalised.repeat_last_n = 24;
    SamplingParams biased = params(1, 0, 0.5f, 0);
    biased.logit_bias = {{3, 4.0f}, {5, -kInfinity}, {11, -2.5f}};
    const std::vector<SamplingParams> sets = {
        params(0, 40, 0.95f, 0.05f),
        params(1, 1, 1, 0),
        params(0.8f, 40, 0.95f, 0.05f),
        params(1, 0, 1, 0),
        params(0.7f, 0, 1, 0.1f),
        params(1.5f, 0, 0.9f, 0),
        params(2, 0, 0.95f, 0.02f),
        params(1, 5, 1, 0),
        params(0.8f, 200, 0.3f, 0),
        params(1, 40, 1, 0.2f),
        penalised,
        biased,
        params(1, 1000, 0.99f, 0),
        params(1, 0, 0, 0),
    };
    for (const uint32_t n_vocab : {63u, 300u, 5000u}) {
        compare(n_vocab, random_floats(n_vocab, n_vocab, 3.0f), sets, 3);
    }
}

TEST_CASE("sampling: a large vocabulary, ties, suppressed tokens and numbers that are none") {
    const std::vector<SamplingParams> sets = {params(0, 0, 1, 0), params(0.8f, 40, 0.95f, 0.05f), params(1, 0, 1, 0),
                                              params(1, 0, 0.8f, 0)};
    const uint32_t n_vocab = 151'936;
    std::vector<float> logits = random_floats(n_vocab, 5, 4.0f);
    logits[140'000] = logits[77] = logits[150'000] = 21.0f;
    compare(n_vocab, logits, sets, 2, {77});
    std::vector<float> odd = random_floats(700, 6, 2.0f);
    odd[3] = odd[600] = std::nanf("");
    odd[9] = -kInfinity;
    odd[12] = -0.0f;
    compare(700, odd, sets, 2, {1, 2, 600});
    odd[650] = odd[320] = kInfinity;
    compare(700, odd, sets, 2);
    std::vector<float> flat(257, -0.0f);
    flat[100] = 0.0f;
    compare(257, flat, {params(0, 0, 1, 0), params(1, 3, 1, 0), params(1, 0, 0.01f, 0), params(1, 0, 1, 0)}, 4);
}

TEST_CASE("sampling: rows end by themselves, and the last of them ends the steps") {
    const uint32_t n_vocab = 400;
    Bench bench(2, n_vocab);
    std::vector<float> logits(2 * n_vocab, 0.0f);
    logits[17] = 5.0f;           // row 0 always chooses 17
    logits[n_vocab + 23] = 5.0f; // row 1 23, which ends it
    const std::vector<Token> ends = {2, 23};
    bench.sampler.set_end_tokens(ends);
    const Sampler greedy(params(0, 0, 1, 0), 1);
    const std::vector<Token> history = {1};
    const SampledRow stopping{&greedy, history, true};
    CHECK(bench.run(logits, std::vector<SampledRow>{stopping, stopping}, 3) ==
          std::vector<Token>{17, 23, 17, kNotGenerated, 17, kNotGenerated});
    const auto* counts = bench.at<uint32_t>(bench.layout.counts_offset());
    CHECK(counts[graph::kCountTokens] == 2);
    CHECK(bench.at<graph::StepTokenRecord>(bench.layout.tokens_offset())[1].position == 100); // not moved on

    logits[17] = 0.0f;
    logits[2] = 5.0f;
    CHECK(bench.run(logits, std::vector<SampledRow>{stopping, stopping}, 2) ==
          std::vector<Token>{2, 23, kNotGenerated, kNotGenerated});
    CHECK(counts[graph::kCountTokens] == 0); // the steps behind do nothing
    CHECK(counts[graph::kCountOutputs] == 0);

    const SampledRow going{&greedy, history, false};
    CHECK(bench.run(logits, std::vector<SampledRow>{going, going}, 2) == std::vector<Token>{2, 23, 2, 23});

    // What is beyond the device is said, and what has no answer.
    std::vector<float> flat(2 * n_vocab, std::nanf(""));
    CHECK(bench.run(flat, std::vector<SampledRow>{going, going}, 1) ==
          std::vector<Token>{kNoFiniteLogit, kNoFiniteLogit});
    Bench wide(1, 5000);
    const Sampler head(params(1, 0, 0.99f, 0), 1);
    const std::vector<float> equal(5000, 1.0f);
    CHECK(wide.run(equal, std::vector<SampledRow>{{&head, history, false}}, 2) ==
          std::vector<Token>{kSampleOnHost, kNotGenerated});
    SamplingParams long_memory = params(1, 40, 1, 0);
    long_memory.repeat_penalty = 1.1f;
    long_memory.repeat_last_n = -1;
    const Sampler whole(long_memory, 1);
    CHECK_FALSE(wide.sampler.suits(std::vector<SampledRow>{{&whole, history, false}}));
}
