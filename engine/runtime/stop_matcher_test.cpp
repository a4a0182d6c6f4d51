#include "runtime/stop_matcher.h"

#include <doctest/doctest.h>
#include <random>

using vkinfer::runtime::StopMatcher;

namespace {

struct Outcome {
    std::string text;
    std::string word;
    bool operator==(const Outcome&) const = default;
};

Outcome run(const std::vector<std::string>& stops, const std::vector<std::string>& pieces) {
    StopMatcher matcher(stops);
    Outcome outcome;
    for (const std::string& piece : pieces) {
        if (!matcher.feed(piece, outcome.text)) continue;
        outcome.word = matcher.matched();
        return outcome;
    }
    matcher.flush(outcome.text);
    return outcome;
}

} // namespace

TEST_CASE("a stop string ends the text before it, also across pieces") {
    CHECK(run({"STOP"}, {"abcSTOPdef"}) == Outcome{"abc", "STOP"});
    CHECK(run({"STOP"}, {"abcS", "T", "OPdef"}) == Outcome{"abc", "STOP"});
    CHECK(run({"aab"}, {"a", "a", "a", "b"}) == Outcome{"a", "aab"});
    CHECK(run({"STOP"}, {"STO", "RE"}) == Outcome{"STORE", ""});
    CHECK(run({}, {"ab", "c"}) == Outcome{"abc", ""});
    CHECK(run({""}, {"ab", "c"}) == Outcome{"abc", ""});
}

TEST_CASE("of several stop strings the first complete one wins") {
    CHECK(run({"abc", "b"}, {"xabcy"}) == Outcome{"xa", "b"});
    CHECK(run({"abc", "b"}, {"x", "a", "b", "c"}) == Outcome{"xa", "b"});
    CHECK(run({"c", "abc"}, {"xabc"}) == Outcome{"x", "abc"});
}

TEST_CASE("what cannot belong to a stop string is given out at once") {
    StopMatcher matcher({"\n\nUser:"});
    std::string out;
    CHECK_FALSE(matcher.feed("hello\n", out));
    CHECK(out == "hello");
    CHECK_FALSE(matcher.feed("\n", out));
    CHECK(out == "hello");
    CHECK_FALSE(matcher.feed("\n", out)); // the first of three line ends is free now
    CHECK(out == "hello\n");
    CHECK(matcher.feed("User: x", out));
    CHECK(out == "hello\n");
}

TEST_CASE("the cut into pieces makes no difference") {
    std::mt19937 random(7);
    const auto letters = [&](size_t n) {
        std::string text;
        for (size_t i = 0; i < n; ++i) text.push_back("ab\xC3\xA9"[random() % 4]);
        return text;
    };
    for (int round = 0; round < 2000; ++round) {
        std::vector<std::string> stops;
        for (size_t i = random() % 4; i > 0; --i) stops.push_back(letters(1 + random() % 5));
        const std::string text = letters(random() % 24);
        std::vector<std::string> pieces;
        for (size_t i = 0; i < text.size();) {
            const size_t n = std::min(text.size() - i, size_t{1 + random() % 6});
            pieces.push_back(text.substr(i, n));
            i += n;
        }
        CHECK(run(stops, pieces) == run(stops, {text}));
    }
}
