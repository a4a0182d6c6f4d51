// Chat templates: conversation in, prompt text out. The language is Jinja as Hugging Face renders it (text/jinja).
#pragma once

#include "base/error.h"

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace vkinfer::text {

namespace jinja {
struct Program;
struct Limits;
class Interpreter;
} // namespace jinja

/// What a template gets to see. JSON keeps its key order and its numbers.
struct ChatInput {
    std::string messages_json;         ///< array of messages
    std::string tools_json;            ///< array; empty or null: none
    std::string kwargs_json;           ///< object with further variables; empty: none
    bool add_generation_prompt = true; ///< a kwarg of this name wins
    std::string bos_token;
    std::string eos_token;
    std::optional<std::time_t> now; ///< wall clock for strftime_now, as if it were UTC; nothing: local time
};

/// Which environment a template believes to be in. Templates for both are published.
enum class TemplateRules {
    strict,              ///< Hugging Face's: what is refused there fails here
    strict_then_lenient, ///< where that fails other than by raise_exception: lists may be changed, `tools` and
                         ///< `documents` are undefined without a value, lazy sequences are JSON lists, from_json exists
};

/// A compiled template. Rendering is const and may run on several threads at once.
class ChatTemplate {
public:
    /// Throws Error{invalid_input} naming the line.
    explicit ChatTemplate(std::string source);

    /// What is used for a model without a template: <|im_start|>role, newline, text, <|im_end|>.
    static ChatTemplate chatml();

    const std::string& source() const { return source_; }

    /// An error of raise_exception() has exactly its text as the message.
    Result<std::string> render(const ChatInput& input, TemplateRules rules = TemplateRules::strict_then_lenient) const;

    /// For checks against other implementations: one JSON object with messages, tools, kwargs, bos_token and eos_token
    /// in, {"result": text} or {"error": message} out, without a newline.
    std::string render_json(std::string_view line, std::optional<std::time_t> now,
                            TemplateRules rules = TemplateRules::strict) const;

    /// Replaces the sandbox's limits; for tests.
    void set_limits(const jinja::Limits& limits);

private:
    template<class Define>
    Result<std::string> render_with(std::optional<std::time_t> now, TemplateRules rules, Define&& define) const;

    std::string source_;
    std::shared_ptr<const jinja::Program> program_;
    std::shared_ptr<const jinja::Limits> limits_;
};

/// {"error": message}, as render_json gives it.
std::string error_json(const Error& error);

/// "2026-01-15", "2026-01-15 12:34" or "2026-01-15T12:34:56" as seconds; throws Error{invalid_input}.
std::time_t parse_wall_clock(std::string_view text);

} // namespace vkinfer::text
