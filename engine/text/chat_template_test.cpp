// Chat templates against what real Jinja2 made of them, and against templates that mean harm.
#include "text/chat_template.h"

#include "base/file.h"
#include "support/support.h"
#include "text/jinja/sandbox.h"

#include <boost/json.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <thread>
#include <vector>

using namespace vkinfer;
namespace jinja = vkinfer::text::jinja;
using vkinfer::text::ChatInput;
using vkinfer::text::ChatTemplate;
using vkinfer::text::TemplateRules;
namespace json = boost::json;

namespace {

/// Of sanitizers, whose calls at every access string functions feel most.
#ifdef __SANITIZE_ADDRESS__
constexpr double kSlowdown = 20;
#else
constexpr double kSlowdown = 1;
#endif

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

TEST_CASE("a hostile template ends with an error, soon") {
    const std::string templates[] = {
        "{{ 'a' * 10**9 }}",
        "{{ 'a' * 10**30 }}",
        "{{ [0] * 10**9 }}",
        "{{ range(10**12) | list }}",
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{{ 'x' * 100000 }}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m() %}{{ n() }}{% endmacro %}{% macro n() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for x in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
        "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s | "
        "tojson }}",
        "{% set ns = namespace(s=[1], t=[1]) %}{% for i in range(99) %}{% set ns.s = [ns.s, ns.s] %}"
        "{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.s == ns.t }}",
        "{% set ns = namespace(s=(1,)) %}{% for i in range(99) %}{% set ns.s = (ns.s, ns.s) %}{% endfor %}{{ {ns.s: 1} "
        "}}",
        "{% set ns = namespace(s=[]) %}{% for i in range(99999) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s }}",
        "{% set ns = namespace(s={}) %}{% for i in range(99999) %}{% set ns.s = {'a': ns.s} %}{% endfor %}{{ ns.s | "
        "tojson }}",
        "{{ 'x'.ljust(10**11) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '{:>1000000000}'.format(1) }}",
        "{{ 'x' | center(10**11) }}",
        "{{ 'a\nb' | indent(10**11) }}",
        "{{ 2 ** (10**9) }}",
        "{% set ns = namespace(s=3) %}{% for i in range(99) %}{% set ns.s = ns.s * ns.s %}{% endfor %}{{ ns.s }}",
        "{% set s = 'ab' * 4000000 %}{% for i in range(99999) %}{% if s.replace('a', 'b').find('c') > 0 %}{% endif "
        "%}{% endfor %}",
        "{% set s = 'a' * 8000000 %}{% set t = 'a' * 4000000 + 'b' %}{% for i in range(99999) %}{{ t in s }}{{ "
        "s.rfind(t) }}{% endfor %}",
        "{% set s = 'a' * 8000000 %}{{ s | list | length }}{{ s.split('a') | length }}",
        "{% set l = [] %}{% for i in range(99999) %}{{ l.append(l) }}{% endfor %}{{ l }}",
        "{% set l = [] %}{% set ns = namespace(m=l) %}{% for i in range(99999) %}{% set n = [] %}{{ ns.m.append(n) }}"
        "{% set ns.m = n %}{% endfor %}{{ l }}",
        "{{ {}.__class__.__mro__ }}",
        "{{ [1].sort() }}{{ undefined_name.x }}",
    };
    jinja::Limits limits;
    limits.steps /= 10; // seconds in proportion; the next case runs with all of them
    for (const std::string& source : templates) {
        CAPTURE(source);
        ChatTemplate chat(source);
        chat.set_limits(limits);
        const std::clock_t start = std::clock(); // not the wall's, which other programs share
        CHECK_FALSE(chat.render({.messages_json = "[]"}).has_value());
        const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
        CHECK(seconds < 5 * kSlowdown);
    }
}

TEST_CASE("the default limits let a template run for seconds, not minutes") {
    for (const char* source : {
             "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
             "{% set s = 'a' * 8000000 %}{% set t = 'a' * 4000000 + 'b' %}{% for i in range(99999) %}{{ t in s }}{{ "
             "s.rfind(t) }}{% endfor %}",
         }) {
        const std::clock_t start = std::clock();
        CHECK_FALSE(render(source).has_value());
        const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
        CHECK(seconds < 5 * kSlowdown); // one or two
        MESSAGE(seconds, " s");
    }
}

TEST_CASE("a hostile template does not get past the parser") {
    const auto repeated = [](const std::string& unit, int n) {
        std::string text;
        for (int i = 0; i < n; ++i) text += unit;
        return text;
    };
    for (const std::string& source : {"{{ " + repeated("(", 100000),
                                      "{{ " + repeated("[", 100000),
                                      "{{ " + repeated("{1:", 100000),
                                      "{{ " + repeated("not ", 100000) + "1 }}",
                                      "{{ " + repeated("- ", 100000) + "1 }}",
                                      "{{ 1 " + repeated("+ 1 ", 100000) + "}}",
                                      "{{ a" + repeated(".b", 100000) + " }}",
                                      "{{ a" + repeated("|upper", 100000) + " }}",
                                      "{{ a" + repeated("(1)", 100000) + " }}",
                                      repeated("{% if 1 %}", 100000),
                                      repeated("{% for a in b %}", 100000),
                                      repeated("{% macro m() %}", 100000),
                                      "{{ " + repeated("1 if 1 else ", 100000) + "1 }}",
                                      "{% set " + repeated("(", 100000),
                                      std::string("{{ 'unterminated }}"),
                                      std::string("{# no end"),
                                      std::string("{% raw %}"),
                                      std::string("\xff\xfe"),
                                      std::string("{{ '\\x4"),
                                      std::string("{{ '\\"),
                                      std::string("{{ \"\\u12\" }}")}) {
        CAPTURE(source.substr(0, 40));
        CHECK_THROWS_AS(ChatTemplate{source}, Error);
    }
    // Long is not deep.
    CHECK(render("{{ " + repeated("'a' ~ ", 5000) + "'b' }}").value().size() == 5001);
    CHECK(render(repeated("{% if 1 %}x{% endif %}", 5000)).value().size() == 5000);
    CHECK(render("{{ [" + repeated("1,", 5000) + "] | length }}").value() == "5000");
}

TEST_CASE("input that is deep or wrong is an error of the request") {
    const ChatTemplate chat = ChatTemplate::chatml();
    ChatInput input;
    input.messages_json = std::string(100000, '[');
    CHECK_FALSE(chat.render(input).has_value());
    input.messages_json = "[{\"role\":\"user\"";
    CHECK_FALSE(chat.render(input).has_value());
    input.messages_json = "[] []";
    CHECK_FALSE(chat.render(input).has_value());
    input.messages_json = "[{\"role\":\"user\",\"content\":\"\xff\"}]";
    CHECK_FALSE(chat.render(input).has_value());
    input.messages_json = "[]";
    input.kwargs_json = "[1]";
    const auto result = chat.render(input);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().message() == "chat_template_kwargs must be a JSON object");
    CHECK(result.error().kind() == ErrorKind::invalid_input);
}

TEST_CASE("limits can be lowered and name themselves") {
    ChatTemplate chat("{% for i in range(1000) %}0123456789{% endfor %}");
    jinja::Limits limits;
    ChatInput input{.messages_json = "[]"};
    CHECK(chat.render(input).value().size() == 10000);
    limits.output_bytes = 9999;
    chat.set_limits(limits);
    CHECK(chat.render(input).error().message() == "chat template at line 1: the template renders more than 9999 bytes");
    limits = {};
    limits.steps = 500;
    chat.set_limits(limits);
    CHECK(chat.render(input).error().message() ==
          "chat template at line 1: the template does not end within its limit of steps");
}

TEST_CASE("errors carry the line and raise_exception its exact text") {
    const auto raised = render("\n\n{{ raise_exception('No \"user\" é') }}");
    CHECK(raised.error().message() == "No \"user\" é");
    CHECK(raised.error().hint() == "the chat template raised this at line 3");
    CHECK(render("a\n{% if true %}\n\n{{ x.y }}{% endif %}").error().message() ==
          "chat template at line 4: 'x' is undefined");
    try {
        ChatTemplate chat("\n{% if x %}");
        FAIL("parsed");
    } catch (const Error& error) {
        CHECK(error.message().starts_with("chat template at line 2: Unexpected end of template."));
    }
}

TEST_CASE("numbers of the input keep every digit") {
    const std::string kwargs =
        R"({"a": [1.0, 1, 12345678901234567890, 1e3, -0.0, 123456789012345678901234567890, 0.1, 1E-7]})";
    CHECK(render("{{ a }}|{{ a | tojson }}|{{ a[2] + 1 }}|{{ a[5] * a[5] }}", kwargs).value() ==
          "[1.0, 1, 12345678901234567890, 1000.0, -0.0, 123456789012345678901234567890, 0.1, 1e-07]|"
          "[1.0, 1, 12345678901234567890, 1000.0, -0.0, 123456789012345678901234567890, 0.1, 1e-07]|"
          "12345678901234567891|15241578753238836750495351562536198787501905199875019052100");
}

TEST_CASE("the default template is ChatML") {
    ChatInput input;
    input.messages_json = R"([{"role":"system","content":"S"},{"role":"user","content":[{"type":"text","text":"U"}]}])";
    CHECK(ChatTemplate::chatml().render(input).value() ==
          "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n");
    input.add_generation_prompt = false;
    CHECK(ChatTemplate::chatml().render(input).value() ==
          "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n");
}

TEST_CASE("one template renders on several threads at once") {
    const ChatTemplate chat(
        "{% macro m(x) %}{{ x }}!{% endmacro %}{% for i in range(50) %}{{ m(messages[0].content) }}{% endfor %}");
    std::vector<std::thread> threads;
    std::vector<std::string> results(4);
    for (size_t t = 0; t < results.size(); ++t) {
        threads.emplace_back([&, t] {
            ChatInput input;
            input.messages_json = "[{\"role\":\"user\",\"content\":\"" + std::to_string(t) + "\"}]";
            for (int n = 0; n < 20; ++n) results[t] = chat.render(input).value();
        });
    }
    for (auto& thread : threads) thread.join();
    for (size_t t = 0; t < results.size(); ++t)
        CHECK(results[t].substr(0, 4) == std::to_string(t) + "!" + std::to_string(t) + "!");
}
