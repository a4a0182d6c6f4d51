// The scanners against the regular expressions that they replace, on random texts. PCRE2 is the judge; it is too easily
// brought to its limits to split the texts of strangers.
#include "text/pretokenizer.h"

#include <doctest/doctest.h>
#define PCRE2_CODE_UNIT_WIDTH 32
#include <memory>
#include <pcre2.h>
#include <random>
#include <string>

using namespace vkinfer::text;

namespace {

class Regex {
public:
    explicit Regex(const std::u32string& pattern) {
        int error = 0;
        PCRE2_SIZE where = 0;
        code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF | PCRE2_UCP,
                                  &error, &where, nullptr));
        REQUIRE_MESSAGE(code_ != nullptr, "pattern error " << error << " at " << where);
        data_.reset(pcre2_match_data_create_from_pattern(code_.get(), nullptr));
    }
    /// Appends the lengths of matches and gaps; a match of no length cuts.
    void isolate(std::u32string_view text, std::vector<uint32_t>& lengths) const {
        size_t gap = 0;
        for (size_t at = 0; at <= text.size();) {
            const int n = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at, 0,
                                      data_.get(), nullptr);
            if (n < 0) break;
            const PCRE2_SIZE* match = pcre2_get_ovector_pointer(data_.get());
            if (match[0] > gap) lengths.push_back(static_cast<uint32_t>(match[0] - gap));
            if (match[1] > match[0]) lengths.push_back(static_cast<uint32_t>(match[1] - match[0]));
            gap = match[1];
            at = match[1] > match[0] ? match[1] : match[1] + 1;
        }
        if (gap < text.size()) lengths.push_back(static_cast<uint32_t>(text.size() - gap));
    }

private:
    struct Free {
        void operator()(pcre2_code* code) const { pcre2_code_free(code); }
        void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
    };
    std::unique_ptr<pcre2_code, Free> code_;
    std::unique_ptr<pcre2_match_data, Free> data_;
};

std::u32string replace_all(std::u32string text, std::u32string_view what, std::u32string_view with) {
    for (size_t at = 0; (at = text.find(what, at)) != std::u32string::npos; at += with.size()) {
        text.replace(at, what.size(), with);
    }
    return text;
}

/// The patterns use the abbreviations of pretokenizer.cpp. White space is spelt out, since PCRE2 counts U+180E.
std::u32string expand(std::u32string pattern) {
    const std::pair<std::u32string_view, std::u32string_view> rules[] = {
        {U"<TAILS>", U" ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|<SPACES>"},
        {U"<TAIL>", U" ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|<SPACES>"},
        {U"<SPACES>", U"\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},
        {U"<CI>", U"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"},
        {U"<NLN>", U"[^\\r\\n\\p{L}\\p{N}]"},
        {U"<U>", U"[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"},
        {U"<l>", U"[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"},
        {U"<u>", U"(?:(?![a-z])\\p{L})"},
        {U"<v>", U"(?:(?![A-Z])\\p{L})"},
        {U"<x>", U"(?:(?![a-z]|\\p{Han})\\p{L})"},
        {U"<y>", U"(?:(?![A-Z]|\\p{Han})\\p{L})"},
        {U"[^\\s", U"[^<WS>"},
        {U"[^(\\s", U"[^(<WS>"},
        {U"(?!\\S)", U"(?![^<WS>])"},
        {U"\\s", U"[<WS>]"},
        {U"<WS>", U"\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}"
                  U"\\x{3000}"},
    };
    for (const auto& [name, text] : rules) pattern = replace_all(std::move(pattern), name, text);
    return pattern;
}

constexpr const char32_t* kGpt2 = U"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
constexpr const char32_t* kQwen2 = U"<CI>|<NLN>?\\p{L}+|\\p{N}|<TAIL>";
constexpr const char32_t* kDeepseek3 =
    U"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "
    U"?[\\p{P}\\p{S}]+[\\r\\n]*|<SPACES>";

struct Reference {
    const char* name;
    std::vector<std::u32string> patterns;
};

const std::vector<Reference>& references() {
    static const std::vector<Reference> all = {
        {"gpt-2", {kGpt2}},
        {"llama-bpe", {U"<CI>|<NLN>?\\p{L}+|\\p{N}{1,3}|<TAIL>"}},
        {"qwen2", {kQwen2}},
        {"qwen35", {U"<CI>|<NLN>?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|<SPACES>"}},
        {"bailingmoe",
         {U"'(?:[sdmtSDMT]|[lL][lL]|[vV][eE]|[rR][eE])|<NLN>?+\\p{L}+|\\p{N}| "
          U"?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|"
          U"\\s+(?!\\S)|\\s+"}},
        {"o200k", {U"<NLN>?<U>*<l>+<CI>?|<NLN>?<U>+<l>*<CI>?|\\p{N}{1,3}|<TAILS>"}},
        {"gpt-4o", {U"<NLN>?<u>*<v>+<CI>?|<NLN>?<u>+<v>*<CI>?|\\p{N}{1,3}|<TAILS>"}},
        {"tekken", {U"<NLN>?<U>*<l>+|<NLN>?<U>+<l>*|\\p{N}|<TAILS>"}},
        {"starcoder", {U"\\p{N}", kGpt2}},
        {"deepseek-v3", {U"\\p{N}{1,3}", U"[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+", kDeepseek3}},
        {"deepseek-coder",
         {U"[\\r\\n]", U"\\s?\\p{L}+", U"\\s?\\p{P}+", U"[\\x{4e00}-\\x{9fa5}\\x{0800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+",
          U"\\p{N}"}},
        {"falcon", {U"[\\p{P}$+<=>^~|`]+", kGpt2, U"[0-9][0-9][0-9]"}},
        {"default", {U"[\\p{P}$+<=>^~|]+", kGpt2, U"\\p{N}+", U"[0-9][0-9][0-9]"}},
        {"laguna", {U"[^\\n]+|[\\n]+", kQwen2}},
        {"minicpm5", {U"\\p{N}{1,3}", U"<CI>|<NLN>?\\p{L}+|\\p{N}+|<TAIL>"}},
        {"k2-horizon", {U"<CI>|<NLN>?(?:\\p{L}|\\p{M}|\\x{200c}|\\x{200d})+|\\p{N}{1,3}|<TAIL>"}},
        {"kimi-k2", {U"\\p{Han}+|<NLN>?<x>*<y>+<CI>?|<NLN>?<x>+<y>*<CI>?|\\p{N}{1,3}|<TAIL>"}},
        {"gemma4", {U"[^\\n]+|[\\n]+"}},
        {"bloom", {U" ?[^(\\s|.,!?\\x{2026}\\x{3002}\\x{ff0c}\\x{3001}\\x{964}\\x{6d4}\\x{60c})]+"}},
        {"seed-coder", {U"<CI>|<NLN>?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|<SPACES>"}},
        {"superbpe", {U"\\p{N}+", U"(?=([0-9]{3})+(?![0-9]))"}},
        {"jais-2",
         {U"<CI>|<NLN>?\\p{L}+|\\p{N}{1,3}| "
          U"?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s{512}(?!\\S)|\\s{256}(?!\\S)|"
          U"\\s{128}(?!\\S)|\\s{64}(?!\\S)|\\s{32}(?!\\S)|\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|"
          U"\\s{1}"}},
        {"exaone-moe",
         {U"<CI>|<NLN>?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}| "
          U"?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|"
          U"\\s+"}},
        {"ufakzeka", {U"<NLN>?\\p{L}+|\\p{N}|<TAIL>"}},
        {"chameleon",
         {U"<sentinel:[0-9]+>", U"(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", U"([\\t\\n]|    |  )", U"\\p{N}",
          U"[\\p{P}!-/:-@\\[-`{-~]", kGpt2}},
    };
    return all;
}

std::u32string random_text(std::mt19937& random) {
    // Few characters of every class that some rule tells apart, so that their meetings are frequent.
    static const std::u32string letters =
        U"aAsStTrReEvVlLdDmMzZ  '''\r\n\t  12389!?./|(,$`-+\u00e9\u00c9\u01c5\u02b0\u05d0"
        U"\u0301\u0903\u0660\u00bd\u2167\u4e00\u3005\u3042\u30ab\uac00\u3000\u00a0\u2003\u180e"
        U"\u200c\u200d\u2026\u3002\u060c\u20ac\u0378\u0007\U0001f600\ue000BIGZ";
    static const std::u32string_view pieces[] = {U"'re",           U"'LL",    U"   ",          U"\r\n", U"IMGIMGABZ",
                                                 U"<sentinel:12>", U"123456", U"            ", U"don't"};
    std::u32string text;
    const size_t n = 1 + random() % 40;
    while (text.size() < n) {
        if (random() % 12 == 0) {
            text += pieces[random() % std::size(pieces)];
        } else {
            const char32_t c = letters[random() % letters.size()];
            text.append(random() % 10 == 0 ? 1 + random() % 20 : 1, c);
        }
    }
    return text;
}

} // namespace

TEST_CASE("every scanner splits like its regular expression") {
    for (const Reference& reference : references()) {
        const std::string name = reference.name;
        CAPTURE(name);
        const PretokenizerRule* rule = find_pretokenizer(reference.name);
        REQUIRE(rule != nullptr);
        std::vector<Regex> steps;
        for (const std::u32string& pattern : reference.patterns) steps.emplace_back(expand(pattern));
        std::mt19937 random(5);
        std::vector<ClassifiedChar> chars;
        std::vector<uint32_t> got, scratch;
        for (int round = 0; round < 3000; ++round) {
            const std::u32string text = random_text(random);
            std::vector<uint32_t> wanted = {static_cast<uint32_t>(text.size())};
            for (const Regex& step : steps) {
                std::vector<uint32_t> next;
                size_t at = 0;
                for (const uint32_t length : wanted) {
                    // A copy, so that looking ahead ends with the piece.
                    const std::u32string piece = text.substr(at, length);
                    step.isolate(piece, next);
                    at += length;
                }
                wanted = next;
            }
            chars.clear();
            std::string readable;
            for (const char32_t c : text) {
                chars.push_back(classify(c));
                append_utf8(readable, c);
            }
            split_words(*rule, chars, got, scratch);
            CAPTURE(readable);
            REQUIRE(got == wanted);
        }
    }
}

TEST_CASE("every rule keeps every character, in pieces that are not empty") {
    std::mt19937 random(6);
    std::vector<ClassifiedChar> chars;
    std::vector<uint32_t> lengths, scratch;
    for (const std::string_view name : pretokenizer_names()) {
        CAPTURE(name);
        for (int round = 0; round < 100; ++round) {
            chars.clear();
            for (const char32_t c : random_text(random)) chars.push_back(classify(c));
            split_words(*find_pretokenizer(name), chars, lengths, scratch);
            size_t sum = 0;
            for (const uint32_t length : lengths) {
                CHECK(length > 0);
                sum += length;
            }
            REQUIRE(sum == chars.size());
        }
    }
    CHECK(find_pretokenizer("no such rule") == nullptr);
}
