#include "text/unicode.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>

namespace vkinfer::text {

namespace {

struct ClassRun {
    uint32_t first;
    uint32_t classes;
};
struct Decomposition {
    uint32_t whole, first, second; // second = 0: a single character replaces it
};
struct CombiningClass {
    uint32_t code_point;
    uint8_t combining_class;
};
struct LowerCase {
    uint32_t upper, lower;
};

#include "text/unicode_tables.inc"

constexpr uint32_t kBlockBits = 7;
constexpr uint32_t kBlockSize = 1u << kBlockBits;
constexpr uint32_t kClassShift = 21;

/// The runs unrolled into blocks, of which equal ones are shared: two loads per character.
struct ClassTable {
    std::array<uint16_t, (kInvalidByteBase >> kBlockBits)> block_of{};
    std::vector<std::array<uint16_t, kBlockSize>> blocks;

    ClassTable() {
        size_t run = 0;
        for (uint32_t block = 0; block < block_of.size(); ++block) {
            std::array<uint16_t, kBlockSize> classes{};
            for (uint32_t i = 0; i < kBlockSize; ++i) {
                const uint32_t c = block * kBlockSize + i;
                while (run + 1 < std::size(kClassRuns) && kClassRuns[run + 1].first <= c) ++run;
                classes[i] = static_cast<uint16_t>(kClassRuns[run].classes);
            }
            const auto known = std::ranges::find(blocks, classes);
            block_of[block] = static_cast<uint16_t>(known - blocks.begin());
            if (known == blocks.end()) blocks.push_back(classes);
        }
    }
};

const ClassTable& class_table() {
    static const ClassTable table; // a constant that is cheaper to compute than to read
    return table;
}

uint32_t classes_of(const ClassTable& table, uint32_t c) {
    if (c >= kInvalidByteBase) return char_class::kSymbol;
    return uint32_t{table.blocks[table.block_of[c >> kBlockBits]][c & (kBlockSize - 1)]} << kClassShift;
}

// Hangul syllables are composed by arithmetic (Unicode standard, section 3.12).
constexpr uint32_t kHangulBase = 0xAC00, kLeadBase = 0x1100, kVowelBase = 0x1161, kTrailBase = 0x11A7;
constexpr uint32_t kLeads = 19, kVowels = 21, kTrails = 28, kSyllables = kLeads * kVowels * kTrails;

uint8_t combining_class(uint32_t c) {
    if (c < 0x300) return 0;
    const auto found = std::ranges::lower_bound(kCombiningClasses, c, {}, &CombiningClass::code_point);
    return found != std::end(kCombiningClasses) && found->code_point == c ? found->combining_class : 0;
}

void append_decomposed(std::vector<uint32_t>& out, uint32_t c) {
    if (c < 0xC0) {
        out.push_back(c);
        return;
    }
    if (c >= kHangulBase && c < kHangulBase + kSyllables) {
        const uint32_t index = c - kHangulBase;
        out.push_back(kLeadBase + index / (kVowels * kTrails));
        out.push_back(kVowelBase + index / kTrails % kVowels);
        if (index % kTrails != 0) out.push_back(kTrailBase + index % kTrails);
        return;
    }
    const auto found = std::ranges::lower_bound(kDecompositions, c, {}, &Decomposition::whole);
    if (found == std::end(kDecompositions) || found->whole != c) {
        out.push_back(c);
        return;
    }
    append_decomposed(out, found->first);
    if (found->second != 0) append_decomposed(out, found->second);
}

void sort_marks(std::vector<uint32_t>& text) {
    for (size_t i = 0; i < text.size();) {
        if (combining_class(text[i]) == 0) {
            ++i;
            continue;
        }
        size_t end = i + 1;
        while (end < text.size() && combining_class(text[end]) != 0) ++end;
        std::stable_sort(text.begin() + static_cast<std::ptrdiff_t>(i), text.begin() + static_cast<std::ptrdiff_t>(end),
                         [](uint32_t a, uint32_t b) { return combining_class(a) < combining_class(b); });
        i = end;
    }
}

/// The primary composite of two characters, or 0.
uint32_t compose(uint32_t a, uint32_t b) {
    if (a >= kLeadBase && a < kLeadBase + kLeads && b >= kVowelBase && b < kVowelBase + kVowels) {
        return kHangulBase + ((a - kLeadBase) * kVowels + (b - kVowelBase)) * kTrails;
    }
    if (a >= kHangulBase && a < kHangulBase + kSyllables && (a - kHangulBase) % kTrails == 0 && b > kTrailBase &&
        b < kTrailBase + kTrails) {
        return a + (b - kTrailBase);
    }
    const auto found = std::ranges::lower_bound(kCompositions, std::pair(a, b), {},
                                                [](const Decomposition& d) { return std::pair(d.first, d.second); });
    return found != std::end(kCompositions) && found->first == a && found->second == b ? found->whole : 0;
}

} // namespace

ClassifiedChar classify(uint32_t c) {
    return c | classes_of(class_table(), c);
}

uint32_t next_code_point(std::string_view text, size_t& at) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
    const uint32_t lead = byte(at);
    if (lead < 0x80) {
        ++at;
        return lead;
    }
    const size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (length != 0 && text.size() - at >= length) {
        uint32_t c = lead & (0x7Fu >> length);
        bool valid = true;
        for (size_t i = 1; i < length; ++i) {
            valid = valid && (byte(at + i) & 0xC0) == 0x80;
            c = (c << 6) | (byte(at + i) & 0x3Fu);
        }
        // Overlong forms, surrogates and values beyond Unicode are as invalid as stray bytes.
        constexpr uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
        if (valid && c >= lowest[length] && c < kInvalidByteBase && (c < 0xD800 || c >= 0xE000)) {
            at += length;
            return c;
        }
    }
    ++at;
    return kInvalidByteBase + lead;
}

void classify_text(std::string_view text, std::vector<ClassifiedChar>& chars) {
    const ClassTable& table = class_table();
    chars.resize(text.size());
    size_t n = 0;
    for (size_t at = 0; at < text.size();) {
        const uint32_t c = next_code_point(text, at);
        chars[n++] = c | classes_of(table, c);
    }
    chars.resize(n);
}

void append_utf8(std::string& text, uint32_t c) {
    const auto put = [&](uint32_t byte) { text.push_back(static_cast<char>(byte)); };
    if (c >= kInvalidByteBase) return put(c - kInvalidByteBase);
    if (c < 0x80) return put(c);
    if (c < 0x800) {
        put(0xC0 | c >> 6);
    } else {
        if (c < 0x10000) {
            put(0xE0 | c >> 12);
        } else {
            put(0xF0 | c >> 18);
            put(0x80 | (c >> 12 & 0x3F));
        }
        put(0x80 | (c >> 6 & 0x3F));
    }
    put(0x80 | (c & 0x3F));
}

size_t complete_utf8_prefix(std::string_view text) {
    // Only the last three bytes can begin a character that is not finished yet.
    for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
        const size_t at = text.size() - back;
        const auto lead = static_cast<uint8_t>(text[at]);
        if ((lead & 0xC0) == 0x80) continue;
        const size_t length = lead < 0xC2 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 1;
        if (length <= back) break;
        // A second byte that can never be right (overlong, surrogate, too large) makes waiting pointless.
        if (back >= 2) {
            const auto second = static_cast<uint8_t>(text[at + 1]);
            if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second >= 0xA0) ||
                (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second >= 0x90)) {
                break;
            }
        }
        return at;
    }
    return text.size();
}

std::string replace_invalid_utf8(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (size_t at = 0; at < text.size();) {
        const uint32_t c = next_code_point(text, at);
        append_utf8(out, c >= kInvalidByteBase ? 0xFFFD : c);
    }
    return out;
}

bool is_valid_utf8(std::string_view text) {
    for (size_t at = 0; at < text.size();) {
        if (next_code_point(text, at) >= kInvalidByteBase) return false;
    }
    return true;
}

std::vector<uint32_t> to_nfd(std::string_view text) {
    std::vector<uint32_t> out;
    out.reserve(text.size());
    for (size_t at = 0; at < text.size();) append_decomposed(out, next_code_point(text, at));
    sort_marks(out);
    return out;
}

std::string to_nfc(std::string_view text) {
    // Below U+0300 every text is its own composed form, and such texts are nearly all there are.
    const bool plain = std::ranges::all_of(text, [](char c) { return static_cast<uint8_t>(c) < 0xCC; });
    if (plain) return std::string(text);
    std::vector<uint32_t> chars = to_nfd(text);
    size_t kept = 0;
    size_t starter = chars.size(); // index of the last character of class 0, if any
    uint8_t last_class = 0;
    for (const uint32_t c : chars) {
        const uint8_t cc = combining_class(c);
        // A mark composes with the starter unless a mark of the same or a higher class stands between them.
        const bool adjacent = starter + 1 == kept;
        if (starter < kept && (adjacent || last_class < cc)) {
            if (const uint32_t whole = compose(chars[starter], c); whole != 0) {
                chars[starter] = whole;
                continue;
            }
        }
        if (cc == 0) starter = kept;
        last_class = cc;
        chars[kept++] = c;
    }
    std::string out;
    out.reserve(text.size());
    for (size_t i = 0; i < kept; ++i) append_utf8(out, chars[i]);
    return out;
}

uint32_t to_lower(uint32_t c) {
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    const auto found = std::ranges::lower_bound(kLowerCase, c, {}, &LowerCase::upper);
    return found != std::end(kLowerCase) && found->upper == c ? found->lower : c;
}

} // namespace vkinfer::text
