#include "server/json_text.h"

#include <boost/json.hpp>
#include <doctest/doctest.h>
#include <limits>

using namespace vkinfer::server;
namespace json = boost::json;

TEST_CASE("numbers are written in the shortest form that reads back equal") {
    CHECK(to_text(json::array{0.5, 1.0, -3, 123456.789, 1e300, uint64_t{18446744073709551615u}}) ==
          "[0.5,1.0,-3,123456.789,1e+300,18446744073709551615]");
    CHECK(to_text(json::array{std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) ==
          "[null,null]");
}

TEST_CASE("texts are escaped, and bytes that are not UTF-8 are replaced") {
    CHECK(quote("a\"b\\c\n\t\r\x01") == R"("a\"b\\c\n\t\r\u0001")");
    CHECK(quote("\u00e4\u20ac\U0001F600") == "\"\u00e4\u20ac\U0001F600\"");
    CHECK(quote("\xff") == "\"\xEF\xBF\xBD\"");
    CHECK(quote("\xC0\xAF") == "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");                 // overlong
    CHECK(quote("\xED\xA0\x80") == "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""); // surrogate
    CHECK(quote("\xE2\x82") == "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");                 // cut off
    CHECK(parse_json(quote("\xF4\x90\x80\x80")).has_value());                   // beyond U+10FFFF
}

TEST_CASE("what the parser refuses") {
    std::string problem;
    for (const char* text : {"", "{", "nul", "[1,]", "{\"a\":}", "NaN", "[1] 2", "\"\xff\"", "'a'", "{a:1}"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_json(text, &problem));
        CHECK_FALSE(problem.empty());
    }
    const std::string deep = std::string(100'000, '[');
    CHECK_FALSE(parse_json(deep));
    CHECK(parse_json(std::string(kMaxJsonDepth, '[') + std::string(kMaxJsonDepth, ']')));
}

TEST_CASE("slices keep the client's spelling") {
    const std::string_view text =
        R"( { "a" : [1.50, {"x":"]}"}] , "b\u0063" :"q\"}" , "n": 123456789012345678901234 } )";
    REQUIRE(parse_json(text));
    CHECK(member_text(text, "a") == R"([1.50, {"x":"]}"}])");
    CHECK(member_text(text, "bc") == R"("q\"}")");
    CHECK(member_text(text, "n") == "123456789012345678901234");
    CHECK(member_text(text, "x").empty());
    CHECK(member_text("[]", "x").empty());
    CHECK(member_text("{}", "x").empty());
    CHECK(member_text(R"({"a":1,"a":2})", "a") == "2");

    const auto elements = element_texts(R"( [ 1e5 ,"a,b",{"c":[]} , null ] )");
    REQUIRE(elements.size() == 4);
    CHECK(elements[0] == "1e5");
    CHECK(elements[1] == R"("a,b")");
    CHECK(elements[2] == R"({"c":[]})");
    CHECK(elements[3] == "null");
    CHECK(element_texts("[]").empty());
    CHECK(element_texts("{}").empty());
}

TEST_CASE("members are replaced and added in place") {
    CHECK(with_member(R"({"a":1,"b":2})", "a", "[3]") == R"({"a":[3],"b":2})");
    CHECK(with_member(R"({"a":1})", "b", "2") == R"({"a":1,"b":2})");
    CHECK(with_member(R"({ })", "b", "2") == R"({ "b":2})");
}
