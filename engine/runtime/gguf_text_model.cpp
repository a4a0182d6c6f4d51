#include "runtime/gguf_text_model.h"

#include "runtime/vocabulary_from_gguf.h"
#include "text/chat_template.h"
#include "text/harmony.h"
#include "text/tokenizer.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace vkinfer::runtime {

namespace {

class AnswerText final : public AnswerDecoder {
public:
    explicit AnswerText(const text::Tokenizer& tokenizer) : detokenizer_(tokenizer) {}
    void append(Token token, std::string& text) override { text += detokenizer_.add(token); }
    void finish(std::string& text) override { text += detokenizer_.finish(); }

private:
    text::Detokenizer detokenizer_;
};

/// Answers in channels: thoughts apart, calls of tools in the form that clients of other models know.
class HarmonyAnswer final : public AnswerDecoder {
public:
    HarmonyAnswer(const text::Tokenizer& tokenizer, const text::HarmonyTokens& tokens, std::span<const Token> prompt)
        : tokenizer_(tokenizer), parser_(tokens), detokenizer_(tokenizer) {
        // The prompt ends inside a header, or inside a message that the answer continues.
        const auto last = std::ranges::find(prompt.rbegin(), prompt.rend(), tokens.start);
        for (const Token token : prompt.subspan(last == prompt.rend() ? prompt.size() : prompt.rend() - last - 1))
            parser_.add(token, tokenizer_.piece(token, false));
    }

    void append(Token token, std::string& text) override {
        const Part before = parser_.part();
        if (parser_.add(token, tokenizer_.piece(token, false))) {
            if (before != Part::none) add(before, detokenizer_.add(token), text);
            return;
        }
        if (before != Part::none) end(before, text);
        if (parser_.part() == Part::call)
            text += "<tool_call>{\"name\": \"" + parser_.recipient() + "\", \"arguments\": ";
    }
    void finish(std::string& text) override {
        if (parser_.part() != Part::none) end(parser_.part(), text);
    }
    std::string take_reasoning() override { return std::exchange(reasoning_, {}); }

private:
    using Part = text::HarmonyParser::Part;

    void add(Part part, const std::string& piece, std::string& text) {
        (part == Part::reasoning ? reasoning_ : text) += piece;
    }
    void end(Part part, std::string& text) {
        add(part, detokenizer_.finish(), text);
        if (part == Part::call) text += "}</tool_call>";
    }

    const text::Tokenizer& tokenizer_;
    text::HarmonyParser parser_;
    text::Detokenizer detokenizer_;
    std::string reasoning_;
};

class GgufTextModel final : public TextModel {
public:
    GgufTextModel(text::Tokenizer tokenizer, Result<text::ChatTemplate> chat_template)
        : tokenizer_(std::move(tokenizer)), harmony_(text::HarmonyTokens::find(tokenizer_)),
          template_(std::move(chat_template)) {}

    bool is_end_of_generation(Token token) const override { return tokenizer_.is_eog(token); }
    std::vector<Token> end_of_generation_tokens() const override { return tokenizer_.eog_tokens(); }
    std::vector<Token> suppressed_tokens() const override { return tokenizer_.suppressed_tokens(); }
    std::unique_ptr<AnswerDecoder> answer_decoder(std::span<const Token> prompt) const override {
        if (harmony_) return std::make_unique<HarmonyAnswer>(tokenizer_, *harmony_, prompt);
        return std::make_unique<AnswerText>(tokenizer_);
    }
    std::vector<Token> tokenize(std::string_view text, bool add_special, bool parse_special) const override {
        return tokenizer_.encode(text, add_special, parse_special);
    }
    std::string detokenize(const std::vector<Token>& tokens, bool special) const override {
        return tokenizer_.decode(tokens, special);
    }

    Result<std::string> apply_template(const ChatRequest& chat) const override {
        if (!template_) return std::unexpected(template_.error());
        const std::string bos(tokenizer_.piece(tokenizer_.special().bos, true));
        auto rendered = template_->render({.messages_json = chat.messages_json,
                                           .tools_json = chat.tools_json,
                                           .kwargs_json = chat.template_kwargs_json,
                                           .add_generation_prompt = chat.add_generation_prompt,
                                           .bos_token = bos,
                                           .eos_token = std::string(tokenizer_.piece(tokenizer_.special().eos, true)),
                                           .now = {}});
        // A rendered conversation is tokenised as it stands, so a BOS that the model wants has to be in it.
        if (rendered && tokenizer_.adds_bos() && !rendered->starts_with(bos)) rendered->insert(0, bos);
        return rendered;
    }

private:
    text::Tokenizer tokenizer_;
    std::optional<text::HarmonyTokens> harmony_;
    Result<text::ChatTemplate> template_;
};

Result<text::ChatTemplate> template_of(const format::GgufFile& file, const Log& log) {
    const auto source = file.get_optional<std::string_view>("tokenizer.chat_template");
    if (!source) {
        log.info("{} has no chat template; ChatML is used", file.name());
        return text::ChatTemplate::chatml();
    }
    try {
        return text::ChatTemplate(std::string(*source));
    } catch (const Error& error) {
        log.warning("{}: tokenizer.chat_template cannot be used: {}", file.name(), error.message());
        return fail(error.kind(), file.name() + ": tokenizer.chat_template: " + error.message(),
                    "Give another one with --chat-template.");
    }
}

} // namespace

std::unique_ptr<TextModel> text_model_from_gguf(const format::GgufFile& file, const std::string& template_override,
                                                const Log& log) {
    text::Tokenizer tokenizer(vocabulary_from_gguf(file, log));
    Result<text::ChatTemplate> chat_template =
        template_override.empty() ? template_of(file, log) : text::ChatTemplate(template_override);
    return std::make_unique<GgufTextModel>(std::move(tokenizer), std::move(chat_template));
}

} // namespace vkinfer::runtime
