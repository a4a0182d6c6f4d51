#include "text/special_splitter.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <random>
#include <string>

using namespace vkinfer::text;

namespace {

Vocabulary with_specials(const std::vector<std::pair<std::string, TokenType>>& specials) {
    Vocabulary v;
    for (const auto& [text, type] : specials) {
        v.tokens.push_back(text);
        v.types.push_back(type);
    }
    return v;
}

/// The definition: each token in turn, longest first, is cut out of what is left.
std::vector<SpecialSplitter::Fragment> split_plainly(const Vocabulary& v, std::string_view text, bool parse_special) {
    std::vector<Token> order;
    for (size_t id = 0; id < v.tokens.size(); ++id) {
        if (v.types[id] == TokenType::user_defined || (parse_special && v.types[id] == TokenType::control)) {
            order.push_back(static_cast<Token>(id));
        }
    }
    std::ranges::stable_sort(order, [&](Token a, Token b) {
        return v.tokens[static_cast<size_t>(a)].size() > v.tokens[static_cast<size_t>(b)].size();
    });
    std::vector<SpecialSplitter::Fragment> fragments = {{0, text.size(), kNoToken}};
    for (const Token id : order) {
        const std::string& token = v.tokens[static_cast<size_t>(id)];
        std::vector<SpecialSplitter::Fragment> next;
        for (const auto& fragment : fragments) {
            size_t at = fragment.begin;
            while (fragment.token == kNoToken) {
                const size_t found = text.substr(0, fragment.end).find(token, at);
                if (found == std::string_view::npos) break;
                next.push_back({at, found, kNoToken});
                size_t end = found + token.size();
                next.push_back({found, end, id});
                if (std::ranges::contains(v.rstrip, id)) {
                    while (end < fragment.end && text[end] == ' ') ++end;
                }
                at = end;
            }
            next.push_back({at, fragment.end, fragment.token});
        }
        fragments.clear();
        for (const auto& fragment : next) {
            if (fragment.begin < fragment.end) fragments.push_back(fragment);
        }
    }
    std::erase_if(fragments, [](const auto& f) { return f.begin == f.end; });
    return fragments;
}

} // namespace

TEST_CASE("a longer token wins over a shorter one that begins before it") {
    const Vocabulary v =
        with_specials({{"ab", TokenType::control}, {"bcd", TokenType::control}, {"cc", TokenType::user_defined}});
    const SpecialSplitter splitter(v);
    const auto fragments = splitter.split("xabcd", true);
    REQUIRE(fragments.size() == 2);
    CHECK(fragments[0].token == kNoToken);
    CHECK(fragments[0].end == 2);
    CHECK(fragments[1].token == 1);
    CHECK(splitter.split("xabcd", false).size() == 1); // control tokens are plain text
    CHECK(splitter.split("acca", false).size() == 3);  // user-defined ones are not
    CHECK(splitter.split("", true).empty());
}

TEST_CASE("one pass finds what cutting token by token finds") {
    std::mt19937 random(11);
    for (int round = 0; round < 2000; ++round) {
        const auto word = [&](size_t longest) {
            std::string text(1 + random() % longest, 'a');
            for (char& c : text) c = "ab "[random() % 3];
            return text;
        };
        std::vector<std::pair<std::string, TokenType>> specials;
        for (uint32_t i = 0; i < 1 + random() % 6; ++i) {
            const std::string text = word(5);
            if (std::ranges::contains(specials, text, &std::pair<std::string, TokenType>::first)) continue;
            specials.emplace_back(text, random() % 2 == 0 ? TokenType::control : TokenType::user_defined);
        }
        Vocabulary v = with_specials(specials);
        if (random() % 2 == 0) v.rstrip.push_back(static_cast<Token>(random() % specials.size()));
        const SpecialSplitter splitter(v);
        const std::string text = word(40);
        const bool parse_special = random() % 2 == 0;
        const auto got = splitter.split(text, parse_special);
        const auto wanted = split_plainly(v, text, parse_special);
        REQUIRE(std::ranges::equal(got, wanted, [](const auto& a, const auto& b) {
            return a.begin == b.begin && a.end == b.end && a.token == b.token;
        }));
    }
}
