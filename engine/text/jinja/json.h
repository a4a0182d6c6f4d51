// JSON to values and back. Reading keeps the order of keys and every digit of integers; writing is Python's json.dumps.
#pragma once

#include "text/jinja/interpreter.h"

#include <optional>
#include <string>
#include <string_view>

namespace vkinfer::text::jinja {

constexpr size_t kMaxJsonDepth = 500;

/// Throws Failure with the position.
Value parse_json(std::string_view text);

struct JsonStyle {
    bool ensure_ascii = false;
    bool sort_keys = false;
    std::optional<std::string> indent; ///< of one level; nothing: all in one line
    std::string item_separator = ", ";
    std::string key_separator = ": ";
};

/// A string with its quotes and escapes.
void append_json_string(std::string& out, std::string_view text, bool ensure_ascii);

/// Throws for values that JSON does not know.
std::string write_json(Interpreter& in, const Value& value, const JsonStyle& style);

} // namespace vkinfer::text::jinja
