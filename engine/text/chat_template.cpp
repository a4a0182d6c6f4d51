// ChatTemplate: the border between the engine's errors and strings and the interpreter's values.
#include "text/chat_template.h"

#include "text/jinja/interpreter.h"
#include "text/jinja/json.h"
#include "text/jinja/parser.h"
#include "text/jinja/unicode.h"

#include <cstdio>

namespace vkinfer::text {

using jinja::Failure;
using jinja::FailureKind;
using jinja::Interpreter;
using jinja::Value;

namespace {

constexpr std::string_view kChatMl =
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% elif message['content'] %}"
    "{% for part in message['content'] if part.text is defined %}{{ part.text }}{% endfor %}"
    "{% endif %}"
    "{{ '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// The local wall clock, in seconds as if it were UTC.
std::time_t local_now() {
    const std::time_t now = std::time(nullptr);
    std::tm fields{};
    localtime_r(&now, &fields);
    return timegm(&fields);
}

Error to_error(const Failure& failure) {
    const std::string at_line = failure.line() > 0 ? " at line " + std::to_string(failure.line()) : "";
    if (failure.kind() == FailureKind::raised) {
        return Error(ErrorKind::invalid_input, failure.message(), "the chat template raised this" + at_line);
    }
    return Error(ErrorKind::invalid_input, "chat template" + at_line + ": " + failure.message(),
                 failure.kind() == FailureKind::limit ? "" : "another template can be given with --chat-template-file");
}

/// Parses JSON of a request; an error names which part of it is wrong.
Value parse_part(const std::string& json, const char* what) {
    try {
        return jinja::parse_json(json);
    } catch (const Failure& failure) {
        throw Error(ErrorKind::invalid_input, std::string(what) + ": " + failure.message());
    }
}

void define_kwargs(Interpreter& in, const Value& kwargs) {
    if (kwargs.is_none()) return;
    if (!kwargs.is_dict()) throw Error(ErrorKind::invalid_input, "chat_template_kwargs must be a JSON object");
    for (const auto& [name, value] : kwargs.as_dict()->entries()) in.define(name.as_string(), value);
}

/// Hugging Face passes none where there is nothing; the looser engines leave the name undefined.
void define_optional(Interpreter& in, const char* name, const Value& value) {
    if (!value.is_none() || !in.options().lenient) in.define(name, value);
}

} // namespace

ChatTemplate::ChatTemplate(std::string source)
    : source_(std::move(source)), limits_(std::make_shared<jinja::Limits>()) {
    if (!jinja::is_valid_utf8(source_)) throw Error(ErrorKind::invalid_input, "the chat template is not valid UTF-8");
    try {
        program_ = std::make_shared<const jinja::Program>(jinja::parse(source_));
    } catch (const Failure& failure) {
        throw to_error(failure);
    }
}

ChatTemplate ChatTemplate::chatml() {
    return ChatTemplate(std::string(kChatMl));
}

void ChatTemplate::set_limits(const jinja::Limits& limits) {
    limits_ = std::make_shared<jinja::Limits>(limits);
}

template<class Define>
Result<std::string> ChatTemplate::render_with(std::optional<std::time_t> now, TemplateRules rules,
                                              Define&& define) const {
    std::optional<Error> strict_error;
    for (const bool lenient : {false, true}) {
        try {
            const jinja::Options options{.lenient = lenient, .now = now ? *now : local_now(), .limits = *limits_};
            if (!lenient && program_->strict_failure) throw *program_->strict_failure;
            Interpreter in(*program_, options);
            define(in);
            return in.run();
        } catch (const Failure& failure) {
            if (!strict_error) strict_error = to_error(failure);
            if (rules == TemplateRules::strict) break;
            if (failure.kind() == FailureKind::raised || failure.kind() == FailureKind::limit) break;
        } catch (const Error& error) {
            return std::unexpected(error);
        } catch (const std::bad_alloc&) {
            return fail(ErrorKind::out_of_memory, "not enough memory to render the chat template");
        } catch (const std::exception& error) { // a bug of ours, which a template must not turn into a crash
            return fail(ErrorKind::internal, std::string("chat template: ") + error.what());
        }
    }
    return std::unexpected(*strict_error);
}

Result<std::string> ChatTemplate::render(const ChatInput& input, TemplateRules rules) const {
    return render_with(input.now, rules, [&](Interpreter& in) {
        define_optional(in, "documents", nullptr);
        define_optional(in, "tools", input.tools_json.empty() ? Value() : parse_part(input.tools_json, "tools"));
        in.define("add_generation_prompt", input.add_generation_prompt);
        in.define("bos_token", input.bos_token);
        in.define("eos_token", input.eos_token);
        if (!input.kwargs_json.empty()) define_kwargs(in, parse_part(input.kwargs_json, "chat_template_kwargs"));
        in.define("messages", parse_part(input.messages_json, "messages"));
    });
}

std::string ChatTemplate::render_json(std::string_view line, std::optional<std::time_t> now,
                                      TemplateRules rules) const {
    const auto result = render_with(now, rules, [&](Interpreter& in) {
        const Value input = parse_part(std::string(line), "input line");
        if (!input.is_dict()) throw Error(ErrorKind::invalid_input, "input line: not a JSON object");
        const auto field = [&](std::string_view name) {
            const Value* value = input.as_dict()->find_name(name);
            return value != nullptr ? *value : Value();
        };
        define_optional(in, "documents", field("documents"));
        define_optional(in, "tools", field("tools"));
        in.define("add_generation_prompt", false);
        for (const char* token : {"bos_token", "eos_token"}) {
            if (!field(token).is_none()) in.define(token, field(token));
        }
        define_kwargs(in, field("kwargs"));
        in.define("messages", field("messages"));
    });
    if (!result) return error_json(result.error());
    std::string out = "{\"result\": ";
    jinja::append_json_string(out, *result, false);
    return out + "}";
}

std::string error_json(const Error& error) {
    std::string out = "{\"error\": ";
    jinja::append_json_string(out, error.message(), false);
    return out + "}";
}

std::time_t parse_wall_clock(std::string_view text) {
    std::tm fields{};
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    char separator = ' ';
    const std::string copy(text);
    const int n =
        std::sscanf(copy.c_str(), "%4d-%2d-%2d%c%2d:%2d:%2d", &year, &month, &day, &separator, &hour, &minute, &second);
    const bool is_date = n == 3 && text.size() <= 10;
    const bool is_time = n >= 6 && (separator == ' ' || separator == 'T');
    const bool in_range = year >= 1900 && month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour >= 0 &&
                          hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second <= 60;
    if ((!is_date && !is_time) || !in_range) {
        throw Error(ErrorKind::invalid_input, "'" + copy + "' is no time", "write it as 2026-01-15T12:34:56");
    }
    fields.tm_year = year - 1900;
    fields.tm_mon = month - 1;
    fields.tm_mday = day;
    fields.tm_hour = hour;
    fields.tm_min = minute;
    fields.tm_sec = second;
    return timegm(&fields);
}

} // namespace vkinfer::text
