// UTF-8 and the Unicode properties that tokenizers ask for. Invalid bytes survive: each becomes a code point of its own
// beyond Unicode, so that every text, whole or broken, can be split, encoded and decoded without loss.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::text {

/// A code point in the low 21 bits and its classes above, so that one load answers most questions of a scanner.
using ClassifiedChar = uint32_t;

inline constexpr uint32_t kCodePointMask = (1u << 21) - 1;
/// Byte b of invalid UTF-8 is the code point kInvalidByteBase + b, with the class of U+FFFD (symbol).
inline constexpr uint32_t kInvalidByteBase = 0x110000;

namespace char_class {
inline constexpr uint32_t kLetter = 1u << 21;  ///< L
inline constexpr uint32_t kUpper = 1u << 22;   ///< Lu, Lt
inline constexpr uint32_t kLower = 1u << 23;   ///< Ll; a letter that is neither upper nor lower is Lm or Lo
inline constexpr uint32_t kMark = 1u << 24;    ///< M
inline constexpr uint32_t kNumber = 1u << 25;  ///< N
inline constexpr uint32_t kPunct = 1u << 26;   ///< P
inline constexpr uint32_t kSymbol = 1u << 27;  ///< S
inline constexpr uint32_t kSpace = 1u << 28;   ///< White_Space
inline constexpr uint32_t kHan = 1u << 29;     ///< script Han
inline constexpr uint32_t kControl = 1u << 30; ///< Cc, Cf, Co, Cs
} // namespace char_class

inline uint32_t code_point(ClassifiedChar c) {
    return c & kCodePointMask;
}

/// The code point with its class bits.
ClassifiedChar classify(uint32_t code_point);

/// Reads one character at `at` (below text.size()) and moves `at` behind it; invalid bytes as described above.
uint32_t next_code_point(std::string_view text, size_t& at);

/// Replaces `chars` by all characters of the text with their classes.
void classify_text(std::string_view text, std::vector<ClassifiedChar>& chars);

/// Bytes that the character takes in the text it was decoded from.
inline uint32_t utf8_length(uint32_t code_point) {
    if (code_point < 0x80 || code_point >= kInvalidByteBase) return 1;
    return code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
}

/// Appends UTF-8, or the raw byte of an invalid one.
void append_utf8(std::string& text, uint32_t code_point);

/// Length of the longest prefix that does not end inside a character that more bytes could complete.
size_t complete_utf8_prefix(std::string_view text);

/// Replaces every invalid byte by U+FFFD.
std::string replace_invalid_utf8(std::string_view text);
bool is_valid_utf8(std::string_view text);

/// Canonical composition (NFC) and full canonical decomposition (NFD).
std::string to_nfc(std::string_view text);
std::vector<uint32_t> to_nfd(std::string_view text);

/// Simple lower case: one character to one character.
uint32_t to_lower(uint32_t code_point);

} // namespace vkinfer::text
