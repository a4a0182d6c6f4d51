#include "tools/template_command.h"

#include "base/error.h"

#include <doctest/doctest.h>

#include <sstream>
#include <string>

using namespace vkinfer;
using namespace vkinfer::tools;

TEST_CASE("each line gives one line") {
    std::istringstream in(
        R"({"messages":[{"role":"user","content":"é"}],"tools":null,"kwargs":{"n":1.0},"bos_token":"<s>"}

not json
{"messages":[]}
)");
    std::ostringstream out;
    const int status = run_template("{% if not messages %}{{ raise_exception('none \"here\"') }}{% endif %}"
                                    "{{ bos_token }}{{ messages[0].content }} {{ n }}{{ strftime_now('%Y %H:%M') }}",
                                    "2026-01-15T12:34:56", false, in, out);
    CHECK(status == 0);
    std::istringstream lines(out.str());
    std::string line;
    REQUIRE(std::getline(lines, line));
    CHECK(line == R"({"result": "<s>é 1.02026 12:34"})");
    REQUIRE(std::getline(lines, line));
    CHECK(line.starts_with(R"({"error": "input line: invalid JSON)"));
    REQUIRE(std::getline(lines, line));
    CHECK(line == R"({"error": "none \"here\""})");
    CHECK_FALSE(std::getline(lines, line));
}

TEST_CASE("a template that does not parse is the error of every line") {
    std::istringstream in("{\"messages\":[]}\n{\"messages\":[]}\n");
    std::ostringstream out;
    CHECK(run_template("{% if %}", "", false, in, out) == 1);
    const std::string line =
        R"({"error": "chat template at line 1: Expected an expression, got 'end of statement block'"})";
    CHECK(out.str() == line + "\n" + line + "\n");
}

TEST_CASE("lenient rules are asked for") {
    const std::string source = "{% set l = [1] %}{{ l.append(2) }}{{ l }}";
    for (const bool lenient : {false, true}) {
        std::istringstream in("{\"messages\":[]}\n");
        std::ostringstream out;
        CHECK(run_template(source, "", lenient, in, out) == 0);
        CHECK(out.str().starts_with(lenient ? R"({"result": "None[1, 2]"})" : R"({"error": )"));
    }
}

TEST_CASE("a time that is none is refused") {
    std::istringstream in;
    std::ostringstream out;
    CHECK_THROWS_AS(run_template("", "yesterday", false, in, out), Error);
    CHECK_THROWS_AS(run_template("", "2026-13-01", false, in, out), Error);
}
