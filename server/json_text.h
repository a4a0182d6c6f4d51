// JSON as text: a writer for our answers, and slices of a client's JSON that keep its spelling. Boost.JSON parses; it
// is not used for writing because it prints 0.5 as 5E-1 and turns integers beyond 64 bits into doubles, which would
// reach the model through the chat template.
#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::server {

/// Nesting that a request may have; deeper ones are refused by the parser.
inline constexpr size_t kMaxJsonDepth = 64;

/// Parses a whole text; nothing if it is not JSON. `problem` says why.
std::optional<boost::json::value> parse_json(std::string_view text, std::string* problem = nullptr);

/// Compact JSON. Numbers in the shortest form that reads back equal; invalid UTF-8 becomes U+FFFD; NaN and infinities,
/// which JSON lacks, become null.
std::string to_text(const boost::json::value& value);

/// Text as a JSON string with its quotes.
std::string quote(std::string_view text);

/// The functions below take text that parse_json has accepted.
/// Text of a member's value as the client wrote it, of the last one if the key repeats, or an empty view.
std::string_view member_text(std::string_view object_text, std::string_view key);
/// Texts of the elements of an array.
std::vector<std::string_view> element_texts(std::string_view array_text);
/// The object with one member's value replaced, or added at the end if the key is not there.
std::string with_member(std::string_view object_text, std::string_view key, std::string_view value_text);

} // namespace vkinfer::server
