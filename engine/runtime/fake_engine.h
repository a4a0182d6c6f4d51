// An engine over FakeRunner and bytes as tokens, for tests of the engine and of programs.
#pragma once

#include "runtime/engine.h"
#include "runtime/fake_runner.h"

#include <memory>
#include <string>
#include <utility>

namespace vkinfer::runtime::test {

/// Tokens are bytes; the chat template writes the messages' JSON and a '>'.
class ByteTextModel final : public TextModel {
public:
    bool is_end_of_generation(Token token) const override { return texts_.is_end_of_generation(token); }
    std::vector<Token> end_of_generation_tokens() const override { return texts_.end_of_generation_tokens(); }
    std::vector<Token> suppressed_tokens() const override { return {}; }
    std::unique_ptr<AnswerDecoder> answer_decoder(std::span<const Token> prompt) const override {
        return texts_.answer_decoder(prompt);
    }
    std::vector<Token> tokenize(std::string_view text, bool, bool) const override { return bytes(text); }
    std::string detokenize(const std::vector<Token>& tokens, bool) const override {
        std::string text;
        for (const Token token : tokens) {
            if (token < 256) text.push_back(static_cast<char>(token));
        }
        return text;
    }
    Result<std::string> apply_template(const ChatRequest& chat) const override {
        if (chat.messages_json.contains("REFUSE")) return fail(ErrorKind::invalid_input, "the template raised: no");
        return chat.messages_json + ">";
    }

private:
    ByteTexts texts_;
};

inline std::unique_ptr<Engine> fake_engine(const FakeLimits& limits, FakeRunner::Next next = {}) {
    ModelInfo info{.name = "fake", .n_vocab = 257, .n_ctx = limits.n_ctx, .n_parallel = limits.max_sequences};
    info.default_sampling.temperature = 0;
    return std::make_unique<Engine>(std::move(info), std::make_unique<ByteTextModel>(),
                                    std::make_unique<FakeRunner>(limits, std::move(next)), SchedulerOptions{});
}

} // namespace vkinfer::runtime::test
