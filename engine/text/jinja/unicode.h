// The parts of Unicode that Python's str methods need. All text is UTF-8; bytes that are not count as U+FFFD.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vkinfer::text::jinja {

/// Decodes the character at `at` and moves `at` past it.
char32_t next_char(std::string_view text, size_t& at);
void append_char(std::string& out, char32_t c);
std::u32string decode(std::string_view text);
std::string encode(std::u32string_view text);
bool is_valid_utf8(std::string_view text);

bool is_space(char32_t c);      ///< str.isspace
bool is_printable(char32_t c);  ///< str.isprintable
bool is_alphabetic(char32_t c); ///< str.isalpha
bool is_decimal(char32_t c);    ///< str.isdecimal
bool is_upper(char32_t c);
bool is_lower(char32_t c);

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_title(std::string_view text);   ///< str.title
std::string capitalize(std::string_view text); ///< str.capitalize
std::string swap_case(std::string_view text);

/// Without white space at the ends, which are chosen.
std::string_view strip(std::string_view text, bool left = true, bool right = true);
/// Without any of `characters` at the ends.
std::string_view strip(std::string_view text, std::string_view characters, bool left, bool right);

} // namespace vkinfer::text::jinja
