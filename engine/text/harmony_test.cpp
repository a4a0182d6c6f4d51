#include "text/harmony.h"

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace vkinfer::text;

namespace {

constexpr HarmonyTokens kTokens{
    .start = 1, .end = 2, .message = 3, .channel = 4, .constrain = 5, .call = 6, .return_token = 7};

/// Runs a text in which control tokens are written as @1 .. @7 and every other character is a token of its own; gives
/// "reasoning|content|calls".
std::string run(std::string_view script) {
    HarmonyParser parser(kTokens);
    std::string reasoning, content, calls;
    for (size_t i = 0; i < script.size(); ++i) {
        const bool is_control = script[i] == '@';
        const Token id = is_control ? script[++i] - '0' : 100 + script[i];
        const HarmonyParser::Part before = parser.part();
        const std::string_view piece = is_control ? std::string_view() : script.substr(i, 1);
        const bool is_text = parser.add(id, piece);
        CHECK(is_text == !is_control);
        if (is_control && parser.part() == HarmonyParser::Part::call) calls += parser.recipient() + "(";
        if (is_control && before == HarmonyParser::Part::call) calls += ")";
        if (!is_text) continue;
        if (parser.part() == HarmonyParser::Part::reasoning) reasoning += piece;
        if (parser.part() == HarmonyParser::Part::content) content += piece;
        if (parser.part() == HarmonyParser::Part::call) calls += piece;
    }
    return reasoning + "|" + content + "|" + calls;
}

} // namespace

TEST_CASE("channels are split: analysis is reasoning, final is content") {
    CHECK(run("@4analysis@3Hmm, 2.@2@1assistant@4final@3Two.@7") == "Hmm, 2.|Two.|");
    CHECK(run("@1assistant@4final@3Two.") == "|Two.|");
    CHECK(run("@4analysis@3a@2@1assistant@4analysis@3b@2@1assistant@4final@3c@7") == "ab|c|");
    CHECK(run("@4commentary@3I look it up.@2") == "|I look it up.|");
}

TEST_CASE("a message for a tool names it, in the channel or in the role") {
    CHECK(run("@4commentary to=functions.f @5json@3{\"x\":1}@6") == "||f({\"x\":1})");
    CHECK(run("@1assistant to=functions.g@4commentary@3{}@6") == "||g({})");
    CHECK(run("@4analysis@3why@2@1assistant@4commentary to=functions.a-b_c.d!x @3{}@6") == "why||a-b_c.d({})");
}

TEST_CASE("nothing of a header reaches anybody, however broken the answer is") {
    CHECK(run("plain text") == "|plain text|"); // a prompt that is not in this format
    CHECK(run("@4anal") == "||");
    CHECK(run("@1assistant@4final") == "||");
    CHECK(run("text@4analysis@3x") == "x|text|");
    CHECK(run("@4final@3a@2stray@1assistant@4final@3b") == "|ab|");
    CHECK(run("@1assistant@3no channel@7") == "|no channel|");
    CHECK(run("@4" + std::string(100000, 'x') + "@3y") == "|y|");
    CHECK(run("@4final@3a@5b") == "|ab|");
}
