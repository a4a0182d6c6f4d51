// UTF-8 validation of names from a file. (engine/text has the Unicode proper; this folder does not include it.)
#pragma once

#include <cstddef>
#include <string_view>

namespace vkinfer::format {

/// Bytes (1 ... 4) of the well-formed character at position i; 0 when there is none: stray or missing continuation
/// bytes, overlong forms, surrogates, beyond U+10FFFF.
inline size_t utf8_length_at(std::string_view text, size_t i) {
    const auto at = [&](size_t k) { return k < text.size() ? static_cast<unsigned char>(text[k]) : 0u; };
    const auto continues = [&](size_t k) { return (at(k) & 0xc0u) == 0x80u; };
    const unsigned first = at(i);
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return continues(i + 1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        const unsigned second = at(i + 1);
        if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;
        return continues(i + 1) && continues(i + 2) ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        const unsigned second = at(i + 1);
        if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;
        return continues(i + 1) && continues(i + 2) && continues(i + 3) ? 4 : 0;
    }
    return 0;
}

inline bool is_utf8(std::string_view text) {
    for (size_t i = 0; i < text.size();) {
        const size_t length = utf8_length_at(text, i);
        if (length == 0) return false;
        i += length;
    }
    return true;
}

} // namespace vkinfer::format
