// A scheduler over the fake model of fake_runner.h, whose steps a test makes by hand.
#pragma once

#include "runtime/fake_runner.h"
#include "runtime/scheduler.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::runtime::test {

inline GenerationRequest request(std::string_view prompt, int32_t max_tokens = 8) {
    GenerationRequest r;
    r.prompt = bytes(prompt);
    r.max_tokens = max_tokens;
    r.sampling.temperature = 0;
    return r;
}

/// A scheduler over a fake model whose steps the test makes by hand.
struct Rig {
    explicit Rig(FakeLimits limits = {}, SchedulerOptions options = {.prefill_chunk = 8}, FakeRunner::Next next = {})
        : runner(limits, std::move(next)), scheduler(std::make_unique<Scheduler>(runner, texts, options)) {}
    ~Rig() {
        scheduler.reset();
        for (const std::string& violation : runner.violations) FAIL_CHECK("contract of the runner: ", violation);
    }

    RequestId submit(const GenerationRequest& r) {
        const auto id = scheduler->submit(r, collector.handler());
        REQUIRE(id.has_value());
        return *id;
    }
    ErrorKind refusal(const GenerationRequest& r) {
        const auto id = scheduler->submit(r, collector.handler());
        REQUIRE_FALSE(id.has_value());
        return id.error().kind();
    }
    void finish_all() {
        int n = 0;
        while (scheduler->step()) REQUIRE(++n < 100000);
    }
    void steps(int n) {
        for (int i = 0; i < n; ++i) scheduler->step();
    }

    ByteTexts texts;
    FakeRunner runner;
    Collector collector;
    std::unique_ptr<Scheduler> scheduler;
};

/// What the fake model answers when it runs alone.
inline std::string expected_answer(std::string_view prompt, int32_t n,
                                   const FakeRunner::Next& next = FakeRunner::hash_next) {
    auto tokens = bytes(prompt);
    std::string text;
    for (int32_t i = 0; i < n; ++i) {
        const Token token = next(tokens);
        tokens.push_back(token);
        text.push_back(static_cast<char>(token));
    }
    return text;
}

inline std::string letters(size_t n, char first = 'A') {
    std::string text;
    for (size_t i = 0; i < n; ++i) text.push_back(static_cast<char>(first + static_cast<char>(i % 23)));
    return text;
}

/// Answers the given text and then the end token, whatever the prompt is; a line end in the prompt separates.
inline FakeRunner::Next script(std::string answer) {
    return [answer](const std::vector<Token>& tokens) -> Token {
        size_t start = 0;
        for (size_t i = 0; i < tokens.size(); ++i) {
            if (tokens[i] == '>') start = i + 1;
        }
        const size_t n = tokens.size() - start;
        return n < answer.size() ? static_cast<uint8_t>(answer[n]) : kEnd;
    };
}

inline size_t count_of(const std::vector<StepToken>& step, int32_t sequence) {
    return static_cast<size_t>(
        std::ranges::count_if(step, [&](const StepToken& token) { return token.sequence == sequence; }));
}

} // namespace vkinfer::runtime::test
