// Measures one test on a ModelRunner: random tokens, no tokenizer, no sampling unless the device does it.
#pragma once

#include "runtime/model_runner.h"
#include "runtime/step_profile.h"
#include "tools/bench_params.h"

#include <functional>
#include <random>
#include <string>
#include <vector>

namespace vkinfer::tools {

/// One runner and what its cache holds; tests with the same depth share the filled part.
class BenchSession {
public:
    /// `profile`: what the runner times its steps into, or null; it counts during the repetitions only.
    /// `sample_steps`: as in BenchParams.
    explicit BenchSession(runtime::ModelRunner& runner, runtime::StepProfile* profile = nullptr,
                          int32_t sample_steps = 0)
        : runner_(runner), profile_(profile), sample_steps_(sample_steps) {
        profile_steps(false);
    }

    /// Nanoseconds of each repetition. `progress` gets lines such as "prompt run 1/5". Throws Error.
    std::vector<uint64_t> measure(const BenchTest& test, int32_t repetitions, bool has_warmup,
                                  const std::function<void(const std::string&)>& progress);

private:
    void prepare(const BenchTest& test);
    void read_prompt(int32_t position, int32_t n_tokens, const BenchTest& test);
    void generate(int32_t position, int32_t n_tokens);
    void evaluate(std::span<const runtime::StepToken> tokens);
    int32_t sample(const runtime::StepToken& token, int32_t n_tokens);
    runtime::Token random_token();
    void profile_steps(bool is_active);

    runtime::ModelRunner& runner_;
    runtime::StepProfile* profile_;
    int32_t sample_steps_;
    runtime::Sampler sampler_{{}, 42};
    std::mt19937 random_{42};
    int32_t kept_depth_ = 0; ///< tokens at the beginning of the cache
    std::vector<runtime::StepToken> batch_;
};

} // namespace vkinfer::tools
