// Python's arithmetic: integers of any size, floor division, true division, and how floats are written.
#pragma once

#include "text/jinja/value.h"

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace vkinfer::text::jinja {

/// Operators + - * / // % ** on two numbers (bool, int of any size, float); throws on division by zero.
Value arithmetic(std::string_view operation, const Value& a, const Value& b);
Value negate(const Value& number);

std::partial_ordering compare_numbers(const Value& a, const Value& b);

/// Decimal text -> int64, if it is one and fits.
std::optional<int64_t> parse_int64(std::string_view digits);
/// Python's int(text, base): white space, sign, prefix and underscores allowed.
std::optional<Value> parse_integer(std::string_view text, int base = 10);
/// Python's float(text): white space, sign, inf, nan and underscores allowed.
std::optional<double> parse_float(std::string_view text);

/// Any number as double; an integer too large for one throws.
double to_double(const Value& number);
/// Python's int(float): cut towards zero; throws for inf and nan.
Value truncate(double number);
/// Python's round(number, digits) for floats.
double round_half_even(double number, int64_t digits);

/// Shortest text that reads back the same, in Python's spelling: 1.0, 1e+20, 1e-07, inf, nan.
std::string float_repr(double number);
/// Decimal text of an integer of any size or a bool (1, 0).
std::string integer_text(const Value& integer);
/// Integer of any size in base 2, 8, 10 or 16, with sign and without prefix.
std::string integer_text(const Value& integer, int base);

} // namespace vkinfer::text::jinja
