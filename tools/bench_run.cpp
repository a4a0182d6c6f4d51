#include "tools/bench_run.h"

#include <algorithm>
#include <chrono>
#include <format>

namespace vkinfer::tools {

using namespace runtime;

Token BenchSession::random_token() {
    return static_cast<Token>(random_() % static_cast<uint32_t>(runner_.limits().n_vocab));
}

void BenchSession::profile_steps(bool is_active) {
    if (profile_ != nullptr) profile_->is_active = is_active;
}

void BenchSession::evaluate(std::span<const StepToken> tokens) {
    if (auto logits = runner_.evaluate(tokens); !logits) throw logits.error();
}

void BenchSession::read_prompt(int32_t position, int32_t n_tokens, const BenchTest& test) {
    const int32_t chunk = std::max(1, std::min(test.n_ubatch, runner_.limits().max_batch));
    const int32_t end = position + n_tokens;
    while (position < end) {
        // As in llama-bench, the last token of every batch gives logits.
        const int32_t batch_end = position + std::min(std::max(1, test.n_batch), end - position);
        while (position < batch_end) {
            batch_.clear();
            for (int32_t n = std::min(chunk, batch_end - position); n > 0; --n) {
                batch_.push_back({random_token(), position++, 0, false});
            }
            batch_.back().want_logits = position == batch_end;
            evaluate(batch_);
        }
    }
}

void BenchSession::generate(int32_t position, int32_t n_tokens) {
    for (int32_t i = 0; i < n_tokens;) {
        const StepToken token{random_token(), position + i, 0, true};
        if (sample_steps_ > 0) {
            i += sample(token, n_tokens - i);
        } else {
            evaluate({&token, 1});
            ++i;
        }
    }
}

/// At most n_tokens in one submission; returns how many.
int32_t BenchSession::sample(const StepToken& token, int32_t n_tokens) {
    const SampledRow row{&sampler_, {&token.token, 1}, false};
    const int32_t n = std::min({runner_.max_steps({&token, 1}, {&row, 1}), sample_steps_, n_tokens});
    if (n < 1) throw Error(ErrorKind::unsupported, "--sample-steps: this device does not sample.");
    if (auto generated = runner_.generate({&token, 1}, {&row, 1}, n); !generated) throw generated.error();
    sampler_.add_drawn(static_cast<uint64_t>(n));
    return n;
}

/// The cache holds the tokens of the depth and has room for the test.
void BenchSession::prepare(const BenchTest& test) {
    if (kept_depth_ != test.n_depth) {
        runner_.truncate(0, 0);
        kept_depth_ = 0;
    } else {
        runner_.truncate(0, test.n_depth);
    }
    if (auto reserved = runner_.reserve(0, test.n_ctx()); !reserved) throw reserved.error();
    if (kept_depth_ != test.n_depth) {
        read_prompt(0, test.n_depth, test);
        kept_depth_ = test.n_depth;
    }
}

std::vector<uint64_t> BenchSession::measure(const BenchTest& test, int32_t repetitions, bool has_warmup,
                                            const std::function<void(const std::string&)>& progress) {
    if (has_warmup) {
        // Pipelines are made and clocks rise here, as everywhere without a filled cache.
        runner_.truncate(0, 0);
        kept_depth_ = 0;
        if (auto reserved = runner_.reserve(0, test.n_ctx()); !reserved) throw reserved.error();
        if (test.n_prompt > 0) {
            progress("warmup prompt run");
            read_prompt(0, test.n_prompt, test);
        }
        if (test.n_gen > 0) {
            progress("warmup generation run");
            generate(test.n_prompt, 1);
        }
    }
    std::vector<uint64_t> samples_ns;
    for (int32_t i = 0; i < repetitions; ++i) {
        if (test.n_depth > 0) {
            const bool is_cached = kept_depth_ == test.n_depth;
            progress(std::format("depth run {}/{}{}", i + 1, repetitions, is_cached ? " (cached)" : ""));
        }
        prepare(test);
        profile_steps(true);
        const auto start = std::chrono::steady_clock::now();
        if (test.n_prompt > 0) {
            progress(std::format("prompt run {}/{}", i + 1, repetitions));
            read_prompt(test.n_depth, test.n_prompt, test);
        }
        if (test.n_gen > 0) {
            progress(std::format("generation run {}/{}", i + 1, repetitions));
            generate(test.n_depth + test.n_prompt, test.n_gen);
        }
        const auto elapsed = std::chrono::steady_clock::now() - start;
        profile_steps(false);
        samples_ns.push_back(static_cast<uint64_t>(std::chrono::nanoseconds(elapsed).count()));
    }
    return samples_ns;
}

} // namespace vkinfer::tools
