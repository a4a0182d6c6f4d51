// Chat templates against what real Jinja2 made of them, and against templates that mean harm.
#include "text/chat_template.h"

#include "base/file.h"
#include "support/support.h"
#include "text/jinja/sandbox.h"

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>
#include <vector>

using namespace vkinfer;
using vkinfer::text::ChatInput;
using vkinfer::text::ChatTemplate;
using vkinfer::text::TemplateRules;
namespace json = boost::json;

namespace {

const std::time_t kFrozen = text::parse_wall_clock("2026-01-15 12:34:56");

std::vector<std::string> lines_of(const std::filesystem::path& path) {
    std::vector<std::string> lines;
    const std::string text = read_text_file(path);
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size());
        if (end > at) lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

json::value parse_deep(std::string_view text) {
    json::parse_options options;
    options.max_depth = 500;
    return json::parse(text, {}, options);
}

std::string text_of(const json::object& object, const char* key) {
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

/// Compares an outcome ({"result"} or {"error"}) with a golden case; returns what is wrong, or nothing.
std::string mismatch(const json::object& expected, const std::string& outcome_json, bool lenient = false) {
    const json::object outcome = parse_deep(outcome_json).as_object();
    const json::value* result = outcome.if_contains("result");
    if (lenient && expected.contains("lenient")) {
        if (result != nullptr && text_of(outcome, "result") == text_of(expected, "lenient")) return "";
        return "lenient: " + (result ? text_of(outcome, "result") : text_of(outcome, "error")) +
               "\nexpected: " + text_of(expected, "lenient");
    }
    if (expected.contains("expected")) {
        if (result == nullptr) return "error: " + text_of(outcome, "error");
        if (text_of(outcome, "result") == text_of(expected, "expected")) return "";
        return "got: " + text_of(outcome, "result") + "\nexpected: " + text_of(expected, "expected");
    }
    if (result != nullptr)
        return "no error but: " + text_of(outcome, "result") + "\nexpected error: " + text_of(expected, "error");
    if (text_of(expected, "error_type") != "TemplateError") return "";
    if (text_of(outcome, "error") == text_of(expected, "error")) return "";
    return "got error: " + text_of(outcome, "error") + "\nexpected error: " + text_of(expected, "error");
}

Result<std::string> render(std::string source, std::string kwargs = "{}") {
    ChatInput input;
    input.messages_json = R"([{"role":"user","content":"Hi"}])";
    input.kwargs_json = std::move(kwargs);
    input.now = kFrozen;
    return ChatTemplate(std::move(source)).render(input);
}

} // namespace

TEST_CASE("published templates give what Jinja2 gives") {
    VKINFER_REQUIRE_GOLDEN(golden);
    int n_cases = 0, n_lenient = 0;
    for (const auto& folder : std::filesystem::directory_iterator(golden / "templates")) {
        if (!std::filesystem::exists(folder.path() / "template.jinja")) continue;
        const ChatTemplate chat(read_text_file(folder.path() / "template.jinja"));
        for (const std::string& line : lines_of(folder.path() / "cases.jsonl")) {
            const json::object expected = parse_deep(line).as_object();
            for (const bool lenient : {false, true}) {
                const auto rules = lenient ? TemplateRules::strict_then_lenient : TemplateRules::strict;
                const std::string problem = mismatch(expected, chat.render_json(line, kFrozen, rules), lenient);
                if (!problem.empty()) {
                    FAIL_CHECK(folder.path().filename().string(), " ", text_of(expected, "id"), "\n", problem);
                }
            }
            ++n_cases;
            n_lenient += expected.contains("lenient");
        }
    }
    MESSAGE(n_cases, " cases, ", n_lenient, " of them with a lenient outcome");
    CHECK(n_cases > 1000);
}

TEST_CASE("single features give what Jinja2 gives") {
    VKINFER_REQUIRE_GOLDEN(golden);
    const auto lines = lines_of(golden / "templates" / "_units" / "cases.jsonl");
    REQUIRE(lines.size() > 100);
    // The first line holds the variables of all cases. It goes in as text, so that its numbers stay as they are.
    const std::string& head = lines[0];
    const std::string messages_key = ",\"messages\":";
    const size_t messages_at = head.rfind(messages_key);
    REQUIRE(messages_at != std::string::npos);
    const std::string context_key = "{\"context\":";
    REQUIRE(head.starts_with(context_key));
    const std::string context = head.substr(context_key.size(), messages_at - context_key.size());
    const std::string messages =
        head.substr(messages_at + messages_key.size(), head.size() - messages_at - messages_key.size() - 1);
    const std::string input = "{\"messages\":" + messages + ",\"tools\":null,\"kwargs\":" + context +
                              ",\"bos_token\":\"<s>\",\"eos_token\":\"</s>\"}";
    for (size_t i = 1; i < lines.size(); ++i) {
        const json::object expected = parse_deep(lines[i]).as_object();
        std::string outcome;
        try {
            outcome = ChatTemplate(text_of(expected, "template")).render_json(input, kFrozen);
        } catch (const Error& error) {
            outcome = json::serialize(json::object{{"error", error.message()}});
        }
        const std::string problem = mismatch(expected, outcome);
        if (!problem.empty()) FAIL_CHECK(text_of(expected, "template"), "\n", problem);
    }
}
