// Algorithms on text that filters and methods share.
#pragma once

#include "text/jinja/interpreter.h"

#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::text::jinja {

/// str.replace: at most `count` times, all if negative.
std::string replace_text(Interpreter& in, std::string_view text, std::string_view from, std::string_view to,
                         int64_t count);

/// str.splitlines.
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends = false);

/// `width` code points with the text in the middle, left or right; unchanged if longer.
enum class Align { left, center, right };
std::string pad(Interpreter& in, const Text& text, int64_t width, Align align, std::string_view fill = " ");

/// Arguments of % on markup: the strings among them are escaped.
Value escape_arguments(const Value& value);

/// & < > ' " as HTML entities.
std::string escape_html(std::string_view text);

} // namespace vkinfer::text::jinja
