// Writing JSON by hand where the order and the layout of fields matter.
#pragma once

#include <string>
#include <string_view>

namespace vkinfer::tools {

/// A JSON string literal with its quotes; bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

/// A JSON number; 0 for what JSON cannot write (NaN, infinities).
std::string json_number(double value);

} // namespace vkinfer::tools
