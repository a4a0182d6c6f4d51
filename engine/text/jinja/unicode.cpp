// Unicode for Python's str methods, on the tables of unicode_tables.inc.
#include "text/jinja/unicode.h"

#include <algorithm>
#include <iterator>

namespace vkinfer::text::jinja {

namespace {

struct CaseRun {
    char32_t first, last, stride; // maps first, first + stride ... last by the same delta
    int32_t delta;
};
struct SpecialCase {
    char32_t from;
    char32_t to[3]; // zero-padded
};
struct CharRange {
    char32_t first, last;
};

#include "text/jinja/unicode_tables.inc"

template<size_t N>
bool contains(const CharRange (&ranges)[N], char32_t c) {
    const auto* range = std::upper_bound(std::begin(ranges), std::end(ranges), c,
                                         [](char32_t value, const CharRange& r) { return value < r.first; });
    return range != std::begin(ranges) && c <= std::prev(range)->last;
}

struct CaseTable {
    const CaseRun *first_run, *last_run;
    const SpecialCase *first_special, *last_special;

    /// The mapping of c, or c itself; `special` gets the mapping to several characters if there is one.
    char32_t map(char32_t c, const SpecialCase*& special) const {
        special = nullptr;
        // Runs of stride 2 interleave with others: look back a few.
        const auto* run =
            std::upper_bound(first_run, last_run, c, [](char32_t value, const CaseRun& r) { return value < r.first; });
        for (int back = 0; run != first_run && back < 4; ++back) {
            --run;
            if (c <= run->last && (c - run->first) % run->stride == 0) {
                return static_cast<char32_t>(static_cast<int32_t>(c) + run->delta);
            }
        }
        const auto* found = std::lower_bound(first_special, last_special, c,
                                             [](const SpecialCase& s, char32_t value) { return s.from < value; });
        if (found != last_special && found->from == c) special = found;
        return c;
    }

    void append(std::string& out, char32_t c) const {
        const SpecialCase* special = nullptr;
        const char32_t mapped = map(c, special);
        if (special == nullptr) {
            append_char(out, mapped);
            return;
        }
        for (const char32_t part : special->to) {
            if (part != 0) append_char(out, part);
        }
    }

    bool changes(char32_t c) const {
        const SpecialCase* special = nullptr;
        return map(c, special) != c || special != nullptr;
    }
};

constexpr CaseTable kUpper{std::begin(kUpperRuns), std::end(kUpperRuns), std::begin(kUpperSpecial),
                           std::end(kUpperSpecial)};
constexpr CaseTable kLower{std::begin(kLowerRuns), std::end(kLowerRuns), std::begin(kLowerSpecial),
                           std::end(kLowerSpecial)};
constexpr CaseTable kTitle{std::begin(kTitleRuns), std::end(kTitleRuns), std::begin(kTitleSpecial),
                           std::end(kTitleSpecial)};

constexpr char32_t kCapitalSigma = 0x3A3;
constexpr char32_t kFinalSigma = 0x3C2;

bool is_cased(char32_t c) {
    return kUpper.changes(c) || kLower.changes(c);
}

/// Characters that stand inside words without being letters with a case (the common ones of Case_Ignorable).
bool is_case_ignorable(char32_t c) {
    return c == '\'' || c == '.' || c == ':' || c == '^' || c == '`' || c == 0xA8 || c == 0xAD || c == 0xAF ||
           c == 0xB4 || c == 0xB7 || c == 0xB8 || (c >= 0x2B0 && c <= 0x36F) || c == 0x2018 || c == 0x2019 ||
           (c >= 0x200B && c <= 0x200F);
}

/// A capital sigma becomes the final one after a letter and not before one (Unicode, SpecialCasing, Final_Sigma).
bool is_final_sigma(const std::u32string& text, size_t at) {
    size_t before = at;
    while (before > 0 && is_case_ignorable(text[before - 1])) --before;
    if (before == 0 || !is_cased(text[before - 1])) return false;
    size_t after = at + 1;
    while (after < text.size() && is_case_ignorable(text[after])) ++after;
    return after == text.size() || !is_cased(text[after]);
}

void append_lower(std::string& out, const std::u32string& text, size_t at) {
    if (text[at] == kCapitalSigma && is_final_sigma(text, at)) {
        append_char(out, kFinalSigma);
    } else {
        kLower.append(out, text[at]);
    }
}

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

} // namespace

char32_t next_char(std::string_view text, size_t& at) {
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(at++);
    if (lead < 0x80) return lead;
    const int extra = lead >= 0xF0 && lead < 0xF5   ? 3
                      : lead >= 0xE0 && lead < 0xF0 ? 2
                      : lead >= 0xC2 && lead < 0xE0 ? 1
                                                    : 0;
    if (extra == 0) return 0xFFFD;
    char32_t c = lead & (0x3F >> extra);
    size_t end = at;
    for (int i = 0; i < extra; ++i, ++end) {
        if (end >= text.size() || (byte(end) & 0xC0) != 0x80) return 0xFFFD;
        c = (c << 6) | (byte(end) & 0x3F);
    }
    constexpr char32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};
    if (c < kSmallest[extra] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) return 0xFFFD;
    at = end;
    return c;
}

void append_char(std::string& out, char32_t c) {
    if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) c = 0xFFFD;
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xC0 | (c >> 6));
        out += static_cast<char>(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        out += static_cast<char>(0xE0 | (c >> 12));
        out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (c & 0x3F));
    } else {
        out += static_cast<char>(0xF0 | (c >> 18));
        out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
        out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (c & 0x3F));
    }
}

std::u32string decode(std::string_view text) {
    std::u32string out;
    out.reserve(text.size());
    for (size_t at = 0; at < text.size();) out += next_char(text, at);
    return out;
}

std::string encode(std::u32string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char32_t c : text) append_char(out, c);
    return out;
}

bool is_valid_utf8(std::string_view text) {
    for (size_t at = 0; at < text.size();) {
        const size_t start = at;
        if (next_char(text, at) == 0xFFFD && text.substr(start, 3) != "\xEF\xBF\xBD") return false;
    }
    return true;
}

bool is_space(char32_t c) {
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_printable(char32_t c) {
    return !contains(kUnprintable, c);
}

bool is_alphabetic(char32_t c) {
    return contains(kAlphabetic, c);
}

bool is_decimal(char32_t c) {
    return contains(kDecimal, c);
}

bool is_upper(char32_t c) {
    return kLower.changes(c) && !kUpper.changes(c);
}

bool is_lower(char32_t c) {
    return kUpper.changes(c) && !kLower.changes(c);
}

std::string to_upper(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (size_t at = 0; at < text.size();) kUpper.append(out, next_char(text, at));
    return out;
}

std::string to_lower(std::string_view text) {
    std::string out;
    if (is_ascii(text)) {
        out = text;
        for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
        return out;
    }
    const std::u32string chars = decode(text);
    for (size_t i = 0; i < chars.size(); ++i) append_lower(out, chars, i);
    return out;
}

std::string to_title(std::string_view text) {
    std::string out;
    const std::u32string chars = decode(text);
    bool inside = false;
    for (size_t i = 0; i < chars.size(); ++i) {
        if (inside)
            append_lower(out, chars, i);
        else
            kTitle.append(out, chars[i]);
        inside = is_cased(chars[i]);
    }
    return out;
}

std::string capitalize(std::string_view text) {
    std::string out;
    const std::u32string chars = decode(text);
    for (size_t i = 0; i < chars.size(); ++i) {
        if (i == 0)
            kTitle.append(out, chars[i]);
        else
            append_lower(out, chars, i);
    }
    return out;
}

std::string swap_case(std::string_view text) {
    std::string out;
    const std::u32string chars = decode(text);
    for (size_t i = 0; i < chars.size(); ++i) {
        if (is_upper(chars[i]))
            append_lower(out, chars, i);
        else
            kUpper.append(out, chars[i]);
    }
    return out;
}

std::string_view strip(std::string_view text, bool left, bool right) {
    while (left && !text.empty()) {
        size_t at = 0;
        if (!is_space(next_char(text, at))) break;
        text.remove_prefix(at);
    }
    while (right && !text.empty()) {
        size_t start = text.size() - 1;
        while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
        size_t at = start;
        if (!is_space(next_char(text, at))) break;
        text.remove_suffix(text.size() - start);
    }
    return text;
}

std::string_view strip(std::string_view text, std::string_view characters, bool left, bool right) {
    std::u32string set = decode(characters);
    std::sort(set.begin(), set.end());
    const auto in_set = [&](char32_t c) { return std::binary_search(set.begin(), set.end(), c); };
    while (left && !text.empty()) {
        size_t at = 0;
        if (!in_set(next_char(text, at))) break;
        text.remove_prefix(at);
    }
    while (right && !text.empty()) {
        size_t start = text.size() - 1;
        while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
        size_t at = start;
        if (!in_set(next_char(text, at))) break;
        text.remove_suffix(text.size() - start);
    }
    return text;
}

} // namespace vkinfer::text::jinja
