// A model for tests of scheduling: it checks the contract of ModelRunner, and the next token depends on every token
// that is stored in the sequence, so a wrong reuse of the cache changes the answer. Failures can be ordered.
#pragma once

#include "runtime/model_runner.h"
#include "runtime/scheduler.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace vkinfer::runtime::test {

inline constexpr Token kEnd = 256; ///< tokens 0 .. 255 are bytes

struct FakeLimits {
    int32_t n_ctx = 256;
    int32_t max_sequences = 4;
    int32_t max_batch = 32;
    int32_t max_logits = 32;
    int32_t n_pages = 1 << 20; ///< in the pool of all sequences
    int32_t page_tokens = 16;
};

class FakeRunner final : public ModelRunner {
public:
    /// Names the token after the given ones.
    using Next = std::function<Token(const std::vector<Token>&)>;

    explicit FakeRunner(FakeLimits limits = {}, Next next = {})
        : fake_(limits), next_(next ? std::move(next) : hash_next), limits_{.n_vocab = 257,
                                                                            .n_ctx = limits.n_ctx,
                                                                            .max_sequences = limits.max_sequences,
                                                                            .max_batch = limits.max_batch,
                                                                            .max_logits = limits.max_logits} {
        sequences_.resize(static_cast<size_t>(limits.max_sequences));
    }

    // ---- what tests look at and order

    std::vector<std::vector<StepToken>> steps;
    std::map<size_t, Error> failures; ///< evaluation number -> its error
    std::function<void(size_t step)> before_evaluate;
    std::vector<std::string> violations; ///< of the contract
    bool all_nan = false;
    int32_t device_steps = 0;       ///< steps that "the device" samples by itself at most
    std::vector<int32_t> generated; ///< steps of each generate()
    std::set<size_t> left_to_host;  ///< evaluations in which the device leaves the choice to the host

    int32_t pages_used() const {
        int32_t n = 0;
        for (const Sequence& sequence : sequences_) n += sequence.n_pages;
        return n;
    }
    const std::vector<Token>& stored(int32_t sequence) const {
        return sequences_[static_cast<size_t>(sequence)].tokens;
    }

    /// A letter chosen by a hash of everything before it; ends now and then.
    static Token hash_next(const std::vector<Token>& tokens) {
        uint64_t hash = 1469598103934665603u;
        for (const Token token : tokens) hash = (hash ^ static_cast<uint64_t>(token)) * 1099511628211u;
        hash ^= hash >> 29;
        return 'a' + static_cast<Token>(hash % 26);
    }

    // ---- ModelRunner

    const RunnerLimits& limits() const override { return limits_; }

    Result<void> reserve(int32_t sequence, int32_t n_tokens) override {
        Sequence& s = at(sequence);
        if (n_tokens > limits_.n_ctx) return fail(ErrorKind::context_overflow, "beyond the context");
        const int32_t n_pages = (n_tokens + fake_.page_tokens - 1) / fake_.page_tokens;
        if (n_pages <= s.n_pages) return {};
        if (pages_used() + n_pages - s.n_pages > fake_.n_pages) return fail(ErrorKind::out_of_memory, "no pages left");
        s.n_pages = n_pages;
        return {};
    }

    void truncate(int32_t sequence, int32_t n_tokens) override {
        Sequence& s = at(sequence);
        if (static_cast<size_t>(n_tokens) < s.tokens.size()) s.tokens.resize(static_cast<size_t>(n_tokens));
        s.n_pages = std::min(s.n_pages, (n_tokens + fake_.page_tokens - 1) / fake_.page_tokens);
    }

    Result<std::span<const float>> evaluate(std::span<const StepToken> tokens) override {
        const size_t step = steps.size();
        steps.emplace_back(tokens.begin(), tokens.end());
        if (before_evaluate) before_evaluate(step);
        if (const auto failure = failures.find(step); failure != failures.end()) {
            return std::unexpected(failure->second);
        }
        if (tokens.empty()) violations.push_back("empty batch");
        if (tokens.size() > static_cast<size_t>(limits_.max_batch)) violations.push_back("batch too large");
        logits_.clear();
        for (const StepToken& token : tokens) {
            Sequence& s = at(token.sequence);
            if (token.position >= s.n_pages * fake_.page_tokens) violations.push_back("position not reserved");
            if (static_cast<size_t>(token.position) > s.tokens.size()) violations.push_back("gap before position");
            if (static_cast<size_t>(token.position) < s.tokens.size()) violations.push_back("position stored already");
            s.tokens.resize(static_cast<size_t>(token.position));
            s.tokens.push_back(token.token);
            if (!token.want_logits) continue;
            const size_t row = logits_.size();
            logits_.resize(row + static_cast<size_t>(limits_.n_vocab), all_nan ? std::nanf("") : 0.0f);
            if (!all_nan) logits_[row + static_cast<size_t>(next_(s.tokens))] = 20.0f;
        }
        if (logits_.size() > static_cast<size_t>(limits_.max_logits) * static_cast<size_t>(limits_.n_vocab)) {
            violations.push_back("too many rows of logits");
        }
        return std::span<const float>(logits_);
    }

    int32_t max_steps(std::span<const StepToken> tokens, std::span<const SampledRow> rows) override {
        return tokens.size() == rows.size() ? device_steps : std::min(device_steps, 1);
    }

    Result<Generated> generate(std::span<const StepToken> tokens, std::span<const SampledRow> rows,
                               int32_t n_steps) override {
        generated.push_back(n_steps);
        struct Live {
            StepToken last;
            Sampler sampler;
            std::vector<Token> history;
            bool stops, is_done = false;
        };
        std::vector<Live> live;
        for (const StepToken& token : tokens) {
            if (!token.want_logits) continue;
            const SampledRow& row = rows[live.size()];
            live.push_back({token, *row.sampler, {row.history.begin(), row.history.end()}, row.stops_at_end});
        }
        if (live.size() != rows.size()) violations.push_back("rows and wanted logits differ");
        const auto n_vocab = static_cast<size_t>(limits_.n_vocab);
        generated_tokens_.assign(rows.size() * static_cast<size_t>(n_steps), kNotGenerated);
        generated_logits_.resize(rows.size() * n_vocab);
        std::vector<StepToken> step(tokens.begin(), tokens.end());
        for (size_t s = 0; s < static_cast<size_t>(n_steps) && !step.empty(); ++s) {
            const bool on_host = left_to_host.contains(steps.size());
            const auto logits = evaluate(step);
            if (!logits) return std::unexpected(logits.error());
            step.clear();
            size_t k = 0; // row of logits
            for (size_t r = 0; r < live.size(); ++r) {
                Live& row = live[r];
                if (row.is_done) continue;
                const auto row_logits = logits->subspan(n_vocab * k++, n_vocab);
                std::ranges::copy(row_logits, generated_logits_.begin() + static_cast<std::ptrdiff_t>(r * n_vocab));
                const Token token = on_host ? kSampleOnHost : row.sampler.sample(row_logits, row.history, scratch_);
                generated_tokens_[s * rows.size() + r] = token;
                row.is_done = token < 0 || (row.stops && std::ranges::find(ends_, token) != ends_.end());
                row.history.push_back(token);
                row.last = {token, row.last.position + 1, row.last.sequence, true};
                if (!row.is_done) step.push_back(row.last);
            }
        }
        return Generated{generated_tokens_, generated_logits_};
    }

    void set_end_tokens(std::span<const Token> tokens) override { ends_.assign(tokens.begin(), tokens.end()); }

    std::string describe() const override { return "fake device"; }

private:
    struct Sequence {
        std::vector<Token> tokens;
        int32_t n_pages = 0;
    };
    Sequence& at(int32_t sequence) { return sequences_.at(static_cast<size_t>(sequence)); }

    FakeLimits fake_;
    Next next_;
    RunnerLimits limits_;
    std::vector<Sequence> sequences_;
    std::vector<float> logits_, generated_logits_;
    std::vector<Token> generated_tokens_, ends_;
    SamplerScratch scratch_;
};

/// Bytes as tokens; keeps the bytes of an incomplete UTF-8 character back.
class ByteTexts : public TokenTexts {
public:
    bool is_end_of_generation(Token token) const override { return token == kEnd; }
    std::vector<Token> end_of_generation_tokens() const override { return {kEnd}; }
    std::vector<Token> suppressed_tokens() const override { return {}; }
    std::unique_ptr<AnswerDecoder> answer_decoder(std::span<const Token>) const override {
        return std::make_unique<Decoder>();
    }

private:
    struct Decoder final : AnswerDecoder {
        std::string held;
        void append(Token token, std::string& text) override {
            held.push_back(static_cast<char>(token));
            const auto lead = static_cast<uint8_t>(held[0]);
            const size_t n = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
            if (held.size() < n) return;
            text += held;
            held.clear();
        }
        void finish(std::string& text) override {
            if (!held.empty()) text += "\xEF\xBF\xBD";
            held.clear();
        }
    };
};

inline std::vector<Token> bytes(std::string_view text) {
    std::vector<Token> tokens;
    for (const char c : text) tokens.push_back(static_cast<uint8_t>(c));
    return tokens;
}

/// Collects the events of all requests and checks that nothing follows a last one.
class Collector {
public:
    struct Answer {
        std::string text;
        std::vector<Token> tokens;
        std::optional<GenerationResult> result;
        int32_t n_events = 0;
        int32_t n_results = 0;
    };

    EventHandler handler() {
        return [this](RequestId id, GenerationEvent event) {
            {
                const std::lock_guard lock(mutex_);
                Answer& answer = answers_[id];
                ++answer.n_events;
                answer.text += event.text;
                answer.tokens.insert(answer.tokens.end(), event.tokens.begin(), event.tokens.end());
                if (event.result) {
                    ++answer.n_results;
                    answer.result = *event.result;
                }
            }
            if (on_event) on_event(id, event);
        };
    }
    Answer operator[](RequestId id) {
        const std::lock_guard lock(mutex_);
        return answers_[id];
    }
    std::function<void(RequestId, const GenerationEvent&)> on_event;

private:
    std::mutex mutex_;
    std::map<RequestId, Answer> answers_;
};

} // namespace vkinfer::runtime::test
