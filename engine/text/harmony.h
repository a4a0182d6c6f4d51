// The chat format of gpt-oss: an answer is a sequence of messages, each with a header that names a channel.
//
//   <|channel|>analysis<|message|>thoughts<|end|><|start|>assistant<|channel|>final<|message|>answer<|return|>
//   <|channel|>commentary to=functions.f <|constrain|>json<|message|>{"x": 1}<|call|>
//
// The parser works on tokens: control tokens are recognised by their ids, so text that only looks like them is text.
#pragma once

#include "text/vocabulary.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vkinfer::text {

class Tokenizer;

/// Ids of the control tokens.
struct HarmonyTokens {
    Token start = kNoToken, end = kNoToken, message = kNoToken, channel = kNoToken;
    Token constrain = kNoToken, call = kNoToken, return_token = kNoToken;

    /// Nothing when the vocabulary is of another format.
    static std::optional<HarmonyTokens> find(const Tokenizer& tokenizer);
};

class HarmonyParser {
public:
    enum class Part : uint8_t {
        none,      ///< headers, and what stands between messages: for nobody
        reasoning, ///< channel analysis
        content,   ///< channel final, and commentary for the reader
        call,      ///< arguments for a tool, which recipient() names
    };

    explicit HarmonyParser(const HarmonyTokens& tokens) : tokens_(tokens) {}

    /// Follows one token, whose text is `piece`. Afterwards part() says where the text of a token belongs that is no
    /// control token. False for a control token, which has no text.
    bool add(Token id, std::string_view piece);

    Part part() const { return part_; }
    /// "get_weather" of "to=functions.get_weather"; letters, digits, '_', '-' and '.' only.
    const std::string& recipient() const { return recipient_; }

private:
    enum class Place : uint8_t { body, between, role, channel, constraint };

    void begin_body();

    HarmonyTokens tokens_;
    Place place_ = Place::body; ///< a prompt that is not in this format is continued as plain text
    Part part_ = Part::content;
    std::string role_, channel_, recipient_;
};

} // namespace vkinfer::text
