#include "server/tool_calls.h"

#include <doctest/doctest.h>

using namespace vkinfer::server;

namespace {

struct Outcome {
    std::string content;
    std::vector<ToolCall> calls;
};

/// Feeds the text in pieces of n bytes.
Outcome parse(std::string_view text, size_t n) {
    ToolCallParser parser;
    Outcome outcome;
    const auto add = [&](ToolCallParser::Piece piece) {
        outcome.content += piece.content;
        for (ToolCall& call : piece.calls) outcome.calls.push_back(std::move(call));
    };
    for (size_t at = 0; at < text.size(); at += n) add(parser.feed(text.substr(at, n)));
    add(parser.finish());
    return outcome;
}

} // namespace

TEST_CASE("calls are found however the text is cut") {
    const std::string_view text =
        "Let me see.\n<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1.50, \"b\": [2]}}\n"
        "</tool_call>\n<tool_call>{\"name\":\"now\"}</tool_call>\n";
    for (size_t n = 1; n <= text.size(); ++n) {
        CAPTURE(n);
        const Outcome outcome = parse(text, n);
        CHECK(outcome.content == "Let me see.");
        REQUIRE(outcome.calls.size() == 2);
        CHECK(outcome.calls[0].name == "add");
        CHECK(outcome.calls[0].arguments == R"({"a": 1.50, "b": [2]})");
        CHECK(outcome.calls[0].id.starts_with("call_"));
        CHECK(outcome.calls[0].id != outcome.calls[1].id);
        CHECK(outcome.calls[1].name == "now");
        CHECK(outcome.calls[1].arguments == "{}");
    }
}

TEST_CASE("text without calls passes unchanged") {
    for (const std::string_view text : {"a < b <tool", "  spaced  out \n", "", "<tool_cal>", " ", "x <tool_call"}) {
        CAPTURE(text);
        for (size_t n = 1; n <= 4; ++n) {
            const Outcome outcome = parse(text, n);
            CHECK(outcome.content == text);
            CHECK(outcome.calls.empty());
        }
    }
}

TEST_CASE("text is not held back longer than needed") {
    ToolCallParser parser;
    CHECK(parser.feed("hello").content == "hello");
    CHECK(parser.feed(" <").content.empty());
    CHECK(parser.feed("b>").content == " <b>");
}

TEST_CASE("text after a call keeps its inner spaces") {
    for (size_t n = 1; n <= 8; ++n) {
        CAPTURE(n);
        const Outcome outcome = parse("<tool_call>{\"name\":\"f\"}</tool_call>\n\nall is  well\n", n);
        CHECK(outcome.content == "all is  well\n");
        CHECK(outcome.calls.size() == 1);
    }
}

TEST_CASE("what is not a call stays text") {
    for (const std::string_view inner : {"{\"name\": }", "{}", "{\"name\": 5}", "[1]", ""}) {
        CAPTURE(inner);
        const std::string text = "<tool_call>" + std::string(inner) + "</tool_call>";
        for (size_t n = 1; n <= 5; ++n) {
            const Outcome outcome = parse(text, n);
            CHECK(outcome.content == text);
            CHECK(outcome.calls.empty());
        }
    }
}

TEST_CASE("a missing closing tag") {
    CHECK(parse("<tool_call>{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}\n", 3).calls.at(0).arguments ==
          "{\"a\":1}");
    const Outcome cut = parse("<tool_call>{\"name\":\"f\",", 3);
    CHECK(cut.calls.empty());
    CHECK(cut.content == "<tool_call>{\"name\":\"f\",");
}
