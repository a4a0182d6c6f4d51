#include "text/pretokenizer.h"

#include "text/pretokenizer_scan.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace vkinfer::text {

namespace {

using namespace scan;
using Step = PretokenizerRule::Step;

/// First of several matchers that matches: a regular expression's alternatives.
template<Matcher... matchers>
Chars any_of(Chars p, Chars end) {
    Chars stop = nullptr;
    static_cast<void>(((stop = matchers(p, end)) || ...));
    return stop;
}

// The parts that most rules share; the names are those of the comments below.
//   CI    (?i:'s|'t|'re|'ve|'m|'ll|'d)
//   NLN   [^\r\n\p{L}\p{N}]
//   TAIL   ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+         TAILS the same with / among the newlines
constexpr Matcher ci = contraction<true>;
constexpr Matcher tail = any_of<punctuation<false>, newlines_or_white_space>;
constexpr Matcher tails = any_of<punctuation<true>, newlines_or_white_space>;
constexpr Matcher one_number = run<kN, 1>;
constexpr Matcher three_numbers = run<kN, 3>;

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
constexpr Matcher gpt2 =
    any_of<contraction<false>, spaced_run<kL>, spaced_run<kN>, spaced_run_not<kSpace | kL | kN>, white_space>;
// CI|NLN?\p{L}+|\p{N}{1,3}|TAIL
constexpr Matcher llama3 = any_of<ci, prefixed_word<kL>, three_numbers, tail>;
// CI|NLN?\p{L}+|\p{N}|TAIL
constexpr Matcher qwen2 = any_of<ci, prefixed_word<kL>, one_number, tail>;
// CI|NLN?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
constexpr Matcher qwen35 =
    any_of<ci, prefixed_word<kL | kM>, one_number, punctuation<false, kSpace | kL | kM | kN>, newlines_or_white_space>;
// CI|NLN?\p{L}+|\p{N}+|TAIL
constexpr Matcher minicpm5 = any_of<ci, prefixed_word<kL>, run<kN>, tail>;
// NLN?\p{L}+|\p{N}|TAIL
constexpr Matcher no_contractions = any_of<prefixed_word<kL>, one_number, tail>;
// CI|NLN?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+
constexpr Matcher seed_coder =
    any_of<ci, prefixed_word<kL>, one_number, spaced_run_not<kSpace | kL | kN>, newlines_or_white_space>;

/// A cased word and CI?
template<class Case>
Chars cased_word_contracted(Chars p, Chars end) {
    const Chars stop = cased_word<Case>(p, end);
    if (stop == nullptr) return nullptr;
    const Chars longer = stop < end ? ci(stop, end) : nullptr;
    return longer != nullptr ? longer : stop;
}
struct NoHanCase {
    static bool is_u(ClassifiedChar c) { return (c & char_class::kHan) == 0 && AsciiCase::is_u(c); }
    static bool is_l(ClassifiedChar c) { return (c & char_class::kHan) == 0 && AsciiCase::is_l(c); }
};
// The o200k pattern has U = [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] and l = [\p{Ll}\p{Lm}\p{Lo}\p{M}]:
// NLN?U*l+CI?|NLN?U+l*CI?|\p{N}{1,3}|TAILS
constexpr Matcher o200k = any_of<cased_word_contracted<UnicodeCase>, three_numbers, tails>;
// The reference implementation leaves the marks out and knows the case of ASCII letters only, and nearly everybody runs
// these models with its ids; the rules that it defines follow it.
constexpr Matcher o200k_ascii_case = any_of<cased_word_contracted<AsciiCase>, three_numbers, tails>;
// NLN?U*l+CI?|NLN?U+l*CI?|\p{N}|TAILS
constexpr Matcher o200k_one_number = any_of<cased_word_contracted<UnicodeCase>, one_number, tails>;
// NLN?U*l+|NLN?U+l*|\p{N}|TAILS
constexpr Matcher tekken = any_of<cased_word<UnicodeCase>, one_number, tails>;
// \p{Han}+|NLN?U*l+CI?|NLN?U+l*CI?|\p{N}{1,3}|TAIL, U and l without Han characters
constexpr Matcher kimi = any_of<run<char_class::kHan>, cased_word_contracted<NoHanCase>, three_numbers, tail>;

// CI|NLN?(?:\p{L}|\p{M}|\u200C|\u200D)+|\p{N}{1,3}|TAIL
Chars joined_word(Chars p, Chars end) {
    const auto in_word = [](ClassifiedChar c) {
        return (c & (kL | kM)) != 0 || code_point(c) == 0x200C || code_point(c) == 0x200D;
    };
    const Chars word = word_prefix(p);
    if (const Chars stop = skip_if(word, end, in_word); stop > word) return stop;
    return nonempty(p, skip_if(p, end, in_word));
}
constexpr Matcher k2_horizon = any_of<ci, joined_word, three_numbers, tail>;

// CI|NLN?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+
Chars phrase(Chars p, Chars end) {
    Chars q = word_prefix(p);
    if (q == end || (*q & kL) == 0) return nullptr;
    for (;;) {
        q = skip(q + 1, end, kM);
        if (q < end && (*q & kL) != 0) continue;
        if (end - q < 2 || code_point(*q) != ' ' || (q[1] & kL) == 0) return q;
        ++q;
    }
}
Chars punctuation_one_newline(Chars p, Chars end) {
    const Chars stop = spaced_run_not < kSpace | kL | kN > (p, end);
    if (stop == nullptr) return nullptr;
    return stop < end && (is_newline(*stop) || code_point(*stop) == '/') ? stop + 1 : stop;
}
constexpr Matcher exaone_moe = any_of<ci, phrase, one_number, punctuation_one_newline, newlines_or_white_space>;

// LLAMA3, but white space in powers of two: \s*[\r\n]+|\s{512}(?!\S)| ... |\s{4}(?!\S)|\s{1,2}(?!\S)|\s
Chars jais2_white_space(Chars p, Chars end) {
    const Chars stop = skip(p, end, kSpace);
    if (stop == p) return nullptr;
    if (const Chars newline = up_to_newline(p, stop); newline != nullptr) return newline;
    const auto usable = stop - p - (stop == end ? 0 : 1); // lengths that no other character follows
    for (const int length : {512, 256, 128, 64, 32, 16, 8, 4, 2}) {
        if (usable >= length) return p + length;
    }
    return p + 1;
}
constexpr Matcher jais2 = any_of<ci, prefixed_word<kL>, three_numbers, punctuation<false>, jais2_white_space>;

bool is_ascii_letter(ClassifiedChar c) {
    const uint32_t lower = code_point(c) | 32;
    return lower >= 'a' && lower <= 'z' && code_point(c) < 0x80;
}
bool is_ascii_punctuation(ClassifiedChar c) {
    return code_point(c) < 0x80 && (c & (kP | kS)) != 0;
}

// [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+
Chars punctuated_word(Chars p, Chars end) {
    return is_ascii_punctuation(*p) ? nonempty(p + 1, skip_if(p + 1, end, is_ascii_letter)) : nullptr;
}
// [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
Chars marked_word(Chars p, Chars end) {
    const Chars word = (*p & (kL | kP | kS)) == 0 && !is_newline(*p) ? p + 1 : p;
    if (const Chars stop = skip(word, end, kL | kM); stop > word) return stop;
    return nonempty(p, skip(p, end, kL | kM));
}
//  ?[\p{P}\p{S}]+[\r\n]*
Chars punctuation_newlines(Chars p, Chars end) {
    const Chars stop = spaced_run < kP | kS > (p, end);
    return stop == nullptr ? nullptr : skip_if(stop, end, is_newline);
}
// [\r\n]
Chars one_newline(Chars p, Chars) {
    return is_newline(*p) ? p + 1 : nullptr;
}
constexpr Matcher deepseek3 = any_of<punctuated_word, marked_word, punctuation_newlines, newlines_or_white_space>;
constexpr Matcher spark = any_of<punctuated_word, marked_word, spaced_run<kP | kS>, one_newline, white_space>;

struct Range {
    uint32_t first, last;
};
template<const auto& ranges>
bool in_ranges(ClassifiedChar c) {
    const auto found = std::ranges::upper_bound(ranges, code_point(c), {}, &Range::first);
    return found != std::begin(ranges) && code_point(c) <= std::prev(found)->last;
}
template<const auto& ranges>
Chars run_in(Chars p, Chars end) {
    return nonempty(p, skip_if(p, end, in_ranges<ranges>));
}
/// \s?[ranges]+
template<const auto& ranges>
Chars space_led_run_in(Chars p, Chars end) {
    if ((*p & kSpace) != 0) {
        if (const Chars stop = skip_if(p + 1, end, in_ranges<ranges>); stop > p + 1) return stop;
    }
    return run_in<ranges>(p, end);
}

constexpr Range kDeepseekCjk[] = {{0x3040, 0x30FF}, {0x4E00, 0x9FA5}};
constexpr Range kDeepseekOldCjk[] = {{0x0800, 0x9FA5}, {0xAC00, 0xD7FF}};
constexpr Range kDeepseekPunctuation[] = {
    {'!', '/'}, {':', '~'}, {0x2018, 0x201F}, {0x3000, 0x3002}, {0xFF01, 0xFF0F}, {0xFF1A, 0xFF5E},
};
constexpr Range kAfmoeScripts[] = {
    {0x0E40, 0x0E7F}, {0x0E80, 0x0EFF}, {0x1000, 0x109F}, {0x1100, 0x11FF}, {0x1780, 0x17FF},
    {0x2F00, 0x2FDF}, {0x3040, 0x30FF}, {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xA9E0, 0xA9FF},
    {0xAA60, 0xAA7F}, {0xAC00, 0xD7AF}, {0xF900, 0xFAFF}, {0xFF65, 0xFF9F},
};
// [가-힣ㄱ-ㆎ]+ | [！…“”‘’—：；，、-〿︰-﹏]+ | [ㄅ-ㄯ]+ | [一-龥぀-ゟ゠-ヿ]+
constexpr Range kYoutuHangul[] = {{0x3131, 0x318E}, {0xAC00, 0xD7A3}};
constexpr Range kYoutuPunctuation[] = {
    {0x2014, 0x2014}, {0x2018, 0x2019}, {0x201C, 0x201D}, {0x2026, 0x2026}, {0x3001, 0x303F},
    {0xFE30, 0xFE4F}, {0xFF01, 0xFF01}, {0xFF0C, 0xFF0C}, {0xFF1A, 0xFF1B},
};
constexpr Range kYoutuBopomofo[] = {{0x3105, 0x312F}};
// Letters with case in the scripts that the DeepSeek LLM tokenizer lists.
constexpr Range kDeepseekCased[] = {
    {0x41, 0x5A},       {0x61, 0x7A},       {0xB5, 0xB5},       {0xC0, 0xD6},       {0xD8, 0xF6},
    {0xF8, 0x1BA},      {0x1BC, 0x1BF},     {0x1C4, 0x293},     {0x295, 0x2AF},     {0x370, 0x373},
    {0x376, 0x377},     {0x37B, 0x37D},     {0x37F, 0x37F},     {0x386, 0x386},     {0x388, 0x38A},
    {0x38C, 0x38C},     {0x38E, 0x3A1},     {0x3A3, 0x3F5},     {0x3F7, 0x481},     {0x48A, 0x52F},
    {0x531, 0x556},     {0x10A0, 0x10C5},   {0x13A0, 0x13F5},   {0x13F8, 0x13FD},   {0x1C90, 0x1CBA},
    {0x1CBD, 0x1CBF},   {0x1D00, 0x1D2B},   {0x1D6B, 0x1D77},   {0x1D79, 0x1D9A},   {0x1E00, 0x1F15},
    {0x1F18, 0x1F1D},   {0x1F20, 0x1F45},   {0x1F48, 0x1F4D},   {0x1F50, 0x1F57},   {0x1F59, 0x1F59},
    {0x1F5B, 0x1F5B},   {0x1F5D, 0x1F5D},   {0x1F5F, 0x1F7D},   {0x1F80, 0x1FB4},   {0x1FB6, 0x1FBC},
    {0x1FBE, 0x1FBE},   {0x1FC2, 0x1FC4},   {0x1FC6, 0x1FCC},   {0x1FD0, 0x1FD3},   {0x1FD6, 0x1FDB},
    {0x1FE0, 0x1FEC},   {0x1FF2, 0x1FF4},   {0x1FF6, 0x1FFC},   {0x2102, 0x2102},   {0x2107, 0x2107},
    {0x210A, 0x2113},   {0x2115, 0x2115},   {0x2119, 0x211D},   {0x2124, 0x2124},   {0x2126, 0x2126},
    {0x2128, 0x2128},   {0x212A, 0x212D},   {0x212F, 0x2134},   {0x2139, 0x2139},   {0x213C, 0x213F},
    {0x2145, 0x2149},   {0x214E, 0x214E},   {0x2183, 0x2184},   {0x2C00, 0x2C7B},   {0x2C7E, 0x2CE4},
    {0x2CEB, 0x2CEE},   {0x2CF2, 0x2CF3},   {0xA640, 0xA66D},   {0xA680, 0xA69B},   {0xA722, 0xA76F},
    {0xA771, 0xA787},   {0xA78B, 0xA78E},   {0xAB70, 0xABBF},   {0xFB00, 0xFB06},   {0xFB13, 0xFB17},
    {0xFF21, 0xFF3A},   {0xFF41, 0xFF5A},   {0x10400, 0x1044F}, {0x104B0, 0x104D3}, {0x104D8, 0x104FB},
    {0x10C80, 0x10CB2}, {0x10CC0, 0x10CF2}, {0x118A0, 0x118DF}, {0x1E900, 0x1E943},
};

// \s+$ as a step of its own: only the white space at the end of the piece
void trailing_white_space(Chars begin, Chars end, std::vector<uint32_t>& lengths) {
    Chars p = end;
    while (p > begin && (p[-1] & kSpace) != 0) --p;
    if (p > begin) lengths.push_back(static_cast<uint32_t>(p - begin));
    if (p < end) lengths.push_back(static_cast<uint32_t>(end - p));
}

// (?=(\d{3})+(?!\d)) : cuts in front of every third digit from the right
void digit_groups(Chars begin, Chars end, std::vector<uint32_t>& lengths) {
    const auto is_digit = [](ClassifiedChar c) { return code_point(c) >= '0' && code_point(c) <= '9'; };
    const auto is_gap = [&](ClassifiedChar c) { return !is_digit(c); };
    Chars piece = begin;
    for (Chars p = begin; p < end;) {
        const Chars digits = skip_if(p, end, is_gap);
        p = skip_if(digits, end, is_digit);
        for (Chars cut = digits + (p - digits) % 3; cut < p; cut += 3) {
            if (cut > piece) lengths.push_back(static_cast<uint32_t>(cut - piece));
            piece = cut;
        }
    }
    if (piece < end) lengths.push_back(static_cast<uint32_t>(end - piece));
}
// Numbers in threes from the right, as in \d{1,3}(?=(?:\d{3})*\b). The reference implementation does not part the first
// group from the text in front of it, which shows when white space stands there.
void number_groups(Chars begin, Chars end, std::vector<uint32_t>& lengths) {
    for (Chars p = begin; p < end;) {
        const Chars gap = skip_not(p, end, kN);
        const Chars stop = skip(gap, end, kN);
        Chars cut = gap + (stop - gap) % 3;
        if (cut == gap && cut < stop) cut += 3;
        lengths.push_back(static_cast<uint32_t>(cut - p));
        lengths.insert(lengths.end(), static_cast<size_t>((stop - cut) / 3), 3);
        p = stop;
    }
}

// [0-9][0-9][0-9]
Chars three_digits(Chars p, Chars end) {
    const auto is_digit = [](ClassifiedChar c) { return code_point(c) >= '0' && code_point(c) <= '9'; };
    return end - p >= 3 && is_digit(p[0]) && is_digit(p[1]) && is_digit(p[2]) ? p + 3 : nullptr;
}
// [\p{P}$+<=>^~|]+, with ` too if `backtick`
template<bool backtick>
Chars punctuation_run(Chars p, Chars end) {
    constexpr std::string_view symbols = backtick ? "$+<=>^~|`" : "$+<=>^~|";
    return nonempty(p, skip_if(p, end, [&](ClassifiedChar c) {
                        return (c & kP) != 0 ||
                               (code_point(c) < 0x80 && symbols.contains(static_cast<char>(code_point(c))));
                    }));
}
// [^\n]+|[\n]+
Chars line(Chars p, Chars end) {
    const bool newline = code_point(*p) == '\n';
    return skip_if(p, end, [&](ClassifiedChar c) { return (code_point(c) == '\n') == newline; });
}
// U+2581 and what follows it up to the next one; like the lines above, on text whose spaces are marked already
Chars lower_block_word(Chars p, Chars end) {
    return skip_if(p + 1, end, [](ClassifiedChar c) { return code_point(c) != 0x2581; });
}
//  ?[^(\s|.,!?…。，、।۔،)]+
Chars bloom(Chars p, Chars end) {
    const auto in_word = [](ClassifiedChar c) {
        if ((c & kSpace) != 0) return false;
        const uint32_t cp = code_point(c);
        if (cp < 0x80) return !std::string_view("(|.,!?)").contains(static_cast<char>(cp));
        return cp != 0x2026 && cp != 0x3002 && cp != 0xFF0C && cp != 0x3001 && cp != 0x0964 && cp != 0x06D4 &&
               cp != 0x060C;
    };
    const Chars word = code_point(*p) == ' ' ? p + 1 : p;
    return nonempty(word, skip_if(word, end, in_word));
}

bool starts_with(Chars p, Chars end, std::string_view text) {
    if (static_cast<size_t>(end - p) < text.size()) return false;
    return std::equal(text.begin(), text.end(), p,
                      [](char a, ClassifiedChar b) { return static_cast<uint32_t>(a) == code_point(b); });
}
// <sentinel:[0-9]+>
Chars chameleon_sentinel(Chars p, Chars end) {
    constexpr std::string_view head = "<sentinel:";
    if (!starts_with(p, end, head)) return nullptr;
    const Chars digits = p + head.size();
    const Chars stop =
        skip_if(digits, end, [](ClassifiedChar c) { return code_point(c) >= '0' && code_point(c) <= '9'; });
    return stop > digits && stop < end && code_point(*stop) == '>' ? stop + 1 : nullptr;
}
// (IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z
Chars chameleon_image(Chars p, Chars end) {
    constexpr std::string_view head = "IMGIMG";
    if (!starts_with(p, end, head)) return nullptr;
    const Chars letters = p + head.size();
    const Chars limit = end - letters > 4 ? letters + 4 : end;
    const Chars stop =
        skip_if(letters, limit, [](ClassifiedChar c) { return code_point(c) >= 'A' && code_point(c) <= 'I'; });
    return stop > letters && stop < end && code_point(*stop) == 'Z' ? stop + 1 : nullptr;
}
// [\t\n]|    |  (four spaces, or two)
Chars chameleon_space(Chars p, Chars end) {
    if (code_point(*p) == '\t' || code_point(*p) == '\n') return p + 1;
    if (starts_with(p, end, "    ")) return p + 4;
    return starts_with(p, end, "  ") ? p + 2 : nullptr;
}
// [\p{P}!-/:-@\[-`{-~]
Chars chameleon_punctuation(Chars p, Chars) {
    return (*p & kP) != 0 || is_ascii_punctuation(*p) ? p + 1 : nullptr;
}

constexpr Step kGpt2[] = {isolate<gpt2>};
constexpr Step kLlama3[] = {isolate<llama3>};
constexpr Step kQwen2[] = {isolate<qwen2>};
constexpr Step kQwen35[] = {isolate<qwen35>};
constexpr Step kO200k[] = {isolate<o200k>};
constexpr Step kO200kAsciiCase[] = {isolate<o200k_ascii_case>};
constexpr Step kTekken[] = {isolate<tekken>};
constexpr Step kKimi[] = {isolate<kimi>};
constexpr Step kDigits[] = {isolate<one_number>, isolate<gpt2>};
constexpr Step kDeepseek3[] = {isolate<three_numbers>, isolate<run_in<kDeepseekCjk>>, isolate<deepseek3>};
constexpr Step kSpark[] = {isolate<three_numbers>, isolate<run_in<kDeepseekCjk>>, isolate<spark>, isolate<one_number>};
constexpr Step kDeepseekLlm[] = {
    isolate<one_newline>, isolate<space_led_run_in<kDeepseekCased>>, isolate<space_led_run_in<kDeepseekPunctuation>>,
    trailing_white_space, isolate<run_in<kDeepseekOldCjk>>,          isolate<run<kN>>};
constexpr Step kDeepseekCoder[] = {isolate<one_newline>, isolate<space_led_run<kL>>, isolate<space_led_run<kP>>,
                                   isolate<run_in<kDeepseekOldCjk>>, isolate<one_number>};
constexpr Step kFalcon[] = {isolate<punctuation_run<true>>, isolate<gpt2>, isolate<three_digits>};
constexpr Step kDefault[] = {isolate<punctuation_run<false>>, isolate<gpt2>, isolate<run<kN>>, isolate<three_digits>};
constexpr Step kLaguna[] = {isolate<line>, isolate<qwen2>};
constexpr Step kMinicpm5[] = {isolate<three_numbers>, isolate<minicpm5>};
constexpr Step kK2Horizon[] = {isolate<k2_horizon>};
constexpr Step kNewline[] = {isolate<line>};
constexpr Step kMmbert[] = {isolate<lower_block_word>};
constexpr Step kBloom[] = {isolate<bloom>};
constexpr Step kViking[] = {isolate<bloom>, isolate<one_number>};
constexpr Step kAfmoe[] = {number_groups, isolate<run_in<kAfmoeScripts>>, isolate<deepseek3>};
constexpr Step kTinyAya[] = {number_groups, isolate<o200k>};
constexpr Step kSuperbpe[] = {isolate<run<kN>>, digit_groups};
constexpr Step kSeedCoder[] = {isolate<seed_coder>};
constexpr Step kJais2[] = {isolate<jais2>};
constexpr Step kExaoneMoe[] = {isolate<exaone_moe>};
constexpr Step kUfakzeka[] = {isolate<no_contractions>};
constexpr Step kYoutu[] = {
    isolate<any_of<run_in<kYoutuHangul>, run_in<kYoutuPunctuation>, run_in<kYoutuBopomofo>, run_in<kDeepseekCjk>>>,
    isolate<o200k_one_number>};
constexpr Step kChameleon[] = {isolate<chameleon_sentinel>, isolate<chameleon_image>,       isolate<chameleon_space>,
                               isolate<one_number>,         isolate<chameleon_punctuation>, isolate<gpt2>};

struct Named {
    std::string_view name;
    PretokenizerRule rule;
};

constexpr PretokenizerRule kLlama3Rule = {.steps = kLlama3, .ignore_merges = true, .add_bos = true};
constexpr PretokenizerRule kGlmRule = {.steps = kLlama3, .ignore_merges = true, .default_bos_id = false};
constexpr PretokenizerRule kGpt2Sep = {.steps = kGpt2, .add_sep = true};

constexpr Named kRules[] = {
    {"default", {.steps = kDefault}},
    {"llama-bpe", kLlama3Rule},
    {"llama3", kLlama3Rule},
    {"llama-v3", kLlama3Rule},
    {"pixtral", kLlama3Rule},
    {"falcon3", kLlama3Rule},
    {"falcon-h1", kLlama3Rule},
    {"midm-2.0", kLlama3Rule},
    {"lfm2", kLlama3Rule},
    {"jina-v5-nano", kLlama3Rule},
    {"glm4", kGlmRule},
    {"glm5", kGlmRule},
    {"chatglm-bpe", {.steps = kLlama3, .default_bos_id = false}},
    {"dbrx", {.steps = kLlama3}},
    {"smaug-bpe", {.steps = kLlama3}},
    {"qwen2", {.steps = kQwen2}},
    {"deepseek-r1-qwen", {.steps = kQwen2}},
    {"kormo", {.steps = kQwen2}},
    {"f2llmv2", {.steps = kQwen2}},
    {"megrez", {.steps = kQwen2}},
    {"stablelm2", {.steps = kQwen2}},
    {"hunyuan", {.steps = kQwen2}},
    {"solar-open", {.steps = kQwen2}},
    {"grok-2", {.steps = kQwen2}},
    // '(?i:[sdmt]|ll|ve|re)|NLN?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+ : the same in effect
    {"bailingmoe", {.steps = kQwen2}},
    {"bailingmoe2", {.steps = kQwen2}},
    {"llada-moe", {.steps = kQwen2}},
    {"qwen35", {.steps = kQwen35}},
    {"gpt-4o", {.steps = kO200kAsciiCase}},
    {"llama4", {.steps = kO200kAsciiCase}},
    {"kanana2", {.steps = kO200kAsciiCase}},
    {"talkie", {.steps = kO200kAsciiCase}},
    {"o200k", {.steps = kO200k}}, // the original pattern, by --override-kv
    {"minimax-m2", {.steps = kO200k}},
    {"granite-embed-multi-97m", {.steps = kO200k}},
    {"tekken", {.steps = kTekken, .ignore_merges = true, .add_bos = true}},
    {"gpt-2", {.steps = kGpt2}},
    {"phi-2", {.steps = kGpt2}},
    {"mpt", {.steps = kGpt2}},
    {"olmo", {.steps = kGpt2}},
    {"jais", {.steps = kGpt2}},
    {"exaone4", {.steps = kGpt2}},
    {"modern-bert", {.steps = kGpt2}},
    {"gigachat", {.steps = kGpt2}},
    {"a.x-4.0", {.steps = kGpt2}},
    {"mellum", {.steps = kGpt2}},
    {"trillion", {.steps = kGpt2}},
    {"granite-docling", {.steps = kGpt2}},
    {"jina-es", {.steps = kGpt2}},
    {"jina-de", {.steps = kGpt2}},
    {"jina-v2-es", {.steps = kGpt2}},
    {"jina-v2-de", {.steps = kGpt2}},
    {"jina-v1-en", kGpt2Sep},
    {"jina-v2-code", kGpt2Sep},
    {"roberta-bpe", kGpt2Sep},
    {"starcoder", {.steps = kDigits}},
    {"refact", {.steps = kDigits}},
    {"command-r", {.steps = kDigits}},
    {"smollm", {.steps = kDigits}},
    {"codeshell", {.steps = kDigits}},
    {"exaone", {.steps = kDigits}},
    {"minerva-7b", {.steps = kDigits}},
    {"mellum2", {.steps = kDigits}},
    {"deepseek-v3", {.steps = kDeepseek3}},
    {"hunyuan-dense", {.steps = kDeepseek3}},
    {"joyai-llm", {.steps = kDeepseek3}},
    {"hy_v4", {.steps = kDeepseek3}},
    {"spark2_5", {.steps = kSpark}},
    {"deepseek-llm", {.steps = kDeepseekLlm}},
    {"deepseek-coder", {.steps = kDeepseekCoder}},
    {"falcon", {.steps = kFalcon}},
    {"laguna", {.steps = kLaguna}},
    {"minicpm5", {.steps = kMinicpm5, .ignore_merges = true}},
    {"k2-horizon", {.steps = kK2Horizon}},
    {"kimi-k2", {.steps = kKimi}},
    {"gemma4", {.steps = kNewline, .add_bos = true}},
    {"granite-embed-multi-311m", {.steps = kNewline, .add_bos = true}},
    {"sarvam-moe", {.steps = kNewline}},
    {"mmbert", {.steps = kMmbert}},
    {"bloom", {.steps = kBloom}},
    {"poro-chat", {.steps = kBloom}},
    {"gpt3-finnish", {.steps = kBloom}},
    {"viking", {.steps = kViking}},
    {"afmoe", {.steps = kAfmoe}},
    {"tiny_aya", {.steps = kTinyAya}},
    {"cohere2moe", {.steps = kTinyAya}},
    {"superbpe", {.steps = kSuperbpe}},
    {"seed-coder", {.steps = kSeedCoder}},
    {"jais-2", {.steps = kJais2}},
    {"exaone-moe", {.steps = kExaoneMoe}},
    {"ufakzeka", {.steps = kUfakzeka}},
    {"youtu", {.steps = kYoutu}},
    {"chameleon", {.steps = kChameleon, .add_bos = true}},
};

} // namespace

const PretokenizerRule* find_pretokenizer(std::string_view name) {
    const auto found = std::ranges::find(kRules, name, &Named::name);
    return found == std::end(kRules) ? nullptr : &found->rule;
}

std::vector<std::string_view> pretokenizer_names() {
    std::vector<std::string_view> names;
    for (const Named& named : kRules) names.push_back(named.name);
    return names;
}

void split_words(const PretokenizerRule& rule, std::span<const ClassifiedChar> text, std::vector<uint32_t>& lengths,
                 std::vector<uint32_t>& scratch) {
    lengths.clear();
    if (text.empty()) return;
    lengths.push_back(static_cast<uint32_t>(text.size()));
    for (const Step step : rule.steps) {
        std::swap(lengths, scratch);
        lengths.clear();
        const ClassifiedChar* p = text.data();
        for (const uint32_t length : scratch) {
            step(p, p + length, lengths);
            p += length;
        }
    }
}

} // namespace vkinfer::text
