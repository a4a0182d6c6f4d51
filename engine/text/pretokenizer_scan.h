// Building blocks of the pre-tokenizers. A matcher looks at [p, end) and returns where its match ends, or null. The
// quantifiers are greedy as in the regular expressions in the comments, and no matcher looks further than the piece.
#pragma once

#include "text/unicode.h"

#include <cstdint>
#include <vector>

namespace vkinfer::text::scan {

using Chars = const ClassifiedChar*;
using Matcher = Chars (*)(Chars p, Chars end);

inline constexpr uint32_t kL = char_class::kLetter;
inline constexpr uint32_t kM = char_class::kMark;
inline constexpr uint32_t kN = char_class::kNumber;
inline constexpr uint32_t kP = char_class::kPunct;
inline constexpr uint32_t kS = char_class::kSymbol;
inline constexpr uint32_t kSpace = char_class::kSpace;

inline bool is_newline(ClassifiedChar c) {
    return code_point(c) == '\n' || code_point(c) == '\r';
}

/// The step that makes pieces of the matches and of the gaps between them.
template<Matcher match>
void isolate(Chars begin, Chars end, std::vector<uint32_t>& lengths) {
    Chars gap = begin;
    for (Chars p = begin; p < end;) {
        const Chars stop = match(p, end);
        if (stop == nullptr) {
            ++p;
            continue;
        }
        if (gap < p) lengths.push_back(static_cast<uint32_t>(p - gap));
        lengths.push_back(static_cast<uint32_t>(stop - p));
        gap = p = stop;
    }
    if (gap < end) lengths.push_back(static_cast<uint32_t>(end - gap));
}

/// End of the run of characters that have a class of `mask`.
inline Chars skip(Chars p, Chars end, uint32_t mask) {
    while (p < end && (*p & mask) != 0) ++p;
    return p;
}
/// End of the run of characters that have no class of `mask`.
inline Chars skip_not(Chars p, Chars end, uint32_t mask) {
    while (p < end && (*p & mask) == 0) ++p;
    return p;
}
template<class Predicate>
Chars skip_if(Chars p, Chars end, Predicate predicate) {
    while (p < end && predicate(*p)) ++p;
    return p;
}

inline Chars nonempty(Chars begin, Chars stop) {
    return stop > begin ? stop : nullptr;
}

/// [mask]{1,most}
template<uint32_t mask, int most = 0>
Chars run(Chars p, Chars end) {
    if (most > 0 && end - p > most) end = p + most;
    return nonempty(p, skip(p, end, mask));
}

/// (?i:'s|'t|'re|'ve|'m|'ll|'d), or the same in lower case only
template<bool any_case>
Chars contraction(Chars p, Chars end) {
    if (end - p < 2 || code_point(*p) != '\'') return nullptr;
    const auto letter = [&](Chars at) {
        const uint32_t c = code_point(*at);
        return any_case && c >= 'A' && c <= 'Z' ? c + 32 : c;
    };
    const uint32_t first = letter(p + 1);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return p + 2;
    if (end - p < 3) return nullptr;
    const uint32_t second = letter(p + 2);
    const bool found = (second == 'e' && (first == 'r' || first == 'v')) || (second == 'l' && first == 'l');
    return found ? p + 3 : nullptr;
}

/// [^\r\n\p{L}\p{N}]? before a word: where the word begins
inline Chars word_prefix(Chars p) {
    return (*p & (kL | kN)) == 0 && !is_newline(*p) ? p + 1 : p;
}

/// [^\r\n\p{L}\p{N}]?[mask]+
template<uint32_t mask>
Chars prefixed_word(Chars p, Chars end) {
    const Chars word = word_prefix(p);
    if (const Chars stop = skip(word, end, mask); stop > word) return stop;
    // A prefix that could itself be part of a word (a mark) is given back.
    return nonempty(p, skip(p, end, mask));
}

/// " ?" and then [mask]+
template<uint32_t mask>
Chars spaced_run(Chars p, Chars end) {
    const Chars word = code_point(*p) == ' ' ? p + 1 : p;
    return nonempty(word, skip(word, end, mask));
}
/// " ?" and then [^mask]+
template<uint32_t mask>
Chars spaced_run_not(Chars p, Chars end) {
    const Chars word = code_point(*p) == ' ' ? p + 1 : p;
    return nonempty(word, skip_not(word, end, mask));
}
/// \s?[mask]+
template<uint32_t mask>
Chars space_led_run(Chars p, Chars end) {
    if ((*p & kSpace) != 0) {
        if (const Chars stop = skip(p + 1, end, mask); stop > p + 1) return stop;
    }
    return nonempty(p, skip(p, end, mask));
}

/// " ?[^\s\p{L}\p{N}]+[\r\n]*", the last class with '/' if `slash`
template<bool slash, uint32_t not_mask = kSpace | kL | kN>
Chars punctuation(Chars p, Chars end) {
    const Chars stop = spaced_run_not<not_mask>(p, end);
    if (stop == nullptr) return nullptr;
    return skip_if(stop, end, [](ClassifiedChar c) { return is_newline(c) || (slash && code_point(c) == '/'); });
}

/// \s+(?!\S)|\s+  : a run of white space leaves its last character to the word behind it
inline Chars white_space(Chars p, Chars end) {
    const Chars stop = skip(p, end, kSpace);
    if (stop == p) return nullptr;
    return stop == end || stop - p == 1 ? stop : stop - 1;
}

/// \s*[\r\n]+  (or with a single [\r\n], which ends at the same place)
inline Chars up_to_newline(Chars p, Chars stop) {
    for (Chars q = stop; q > p; --q) {
        if (is_newline(q[-1])) return q;
    }
    return nullptr;
}

/// \s*[\r\n]+|\s+(?!\S)|\s+
inline Chars newlines_or_white_space(Chars p, Chars end) {
    const Chars stop = skip(p, end, kSpace);
    if (stop == p) return nullptr;
    if (const Chars newline = up_to_newline(p, stop); newline != nullptr) return newline;
    return stop == end || stop - p == 1 ? stop : stop - 1;
}

/// Which characters a cased word is made of: U and l of cased_word().
struct UnicodeCase { ///< U: upper, title and uncased letters and marks; l: lower and uncased letters and marks
    static bool is_u(ClassifiedChar c) { return (c & (kL | kM)) != 0 && (c & char_class::kLower) == 0; }
    static bool is_l(ClassifiedChar c) { return (c & (kL | kM)) != 0 && (c & char_class::kUpper) == 0; }
};
struct AsciiCase { ///< letters only, and only ASCII ones have a case
    static bool is_u(ClassifiedChar c) { return (c & kL) != 0 && !(code_point(c) >= 'a' && code_point(c) <= 'z'); }
    static bool is_l(ClassifiedChar c) { return (c & kL) != 0 && !(code_point(c) >= 'A' && code_point(c) <= 'Z'); }
};

/// [^\r\n\p{L}\p{N}]?U*l+ | [^\r\n\p{L}\p{N}]?U+l*
template<class Case>
Chars cased_word(Chars p, Chars end) {
    const auto upper_then_lower = [&](Chars word) -> Chars {
        const Chars upper = skip_if(word, end, Case::is_u);
        if (const Chars stop = skip_if(upper, end, Case::is_l); stop > upper) return stop;
        // U* gives back characters until l+ has one; what follows that one is not in l, or it would have been found.
        for (Chars q = upper; q > word; --q) {
            if (Case::is_l(q[-1])) return q;
        }
        return nullptr;
    };
    const Chars word = word_prefix(p);
    if (const Chars stop = upper_then_lower(word); stop != nullptr) return stop;
    if (word != p) {
        if (const Chars stop = upper_then_lower(p); stop != nullptr) return stop;
    }
    if (const Chars stop = skip_if(word, end, Case::is_u); stop > word) return skip_if(stop, end, Case::is_l);
    if (const Chars stop = skip_if(p, end, Case::is_u); stop > p) return skip_if(stop, end, Case::is_l);
    return nullptr;
}

} // namespace vkinfer::text::scan
