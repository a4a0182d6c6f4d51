// Text formatting in Python's ways: the % operator, str.format, and searching bytes in linear time.
#pragma once

#include "text/jinja/interpreter.h"

#include <string>
#include <string_view>

namespace vkinfer::text::jinja {

/// First occurrence of `needle` at or after `from`, or npos. Linear for every input, unlike std::string::find.
size_t find_bytes(std::string_view text, std::string_view needle, size_t from);

/// Python's `format % value`: value is a tuple of arguments, a dict for %(name)s, or one argument.
std::string percent_format(Interpreter& in, std::string_view format, const Value& value);

/// Python's format.format(*arguments).
std::string brace_format(Interpreter& in, std::string_view format, const Arguments& arguments);

} // namespace vkinfer::text::jinja
