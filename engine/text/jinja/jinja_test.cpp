// Lexer, parser and values on their own; what they give together is tested in chat_template_test.cpp.
#include "base/error.h"
#include "text/jinja/errors.h"
#include "text/jinja/lexer.h"
#include "text/jinja/number.h"
#include "text/jinja/unicode.h"

#include <doctest/doctest.h>

using namespace vkinfer::text::jinja;

TEST_CASE("floats are written as Python writes them") {
    CHECK(float_repr(1.0) == "1.0");
    CHECK(float_repr(0.1 + 0.2) == "0.30000000000000004");
    CHECK(float_repr(1e16) == "1e+16");
    CHECK(float_repr(1e15) == "1000000000000000.0");
    CHECK(float_repr(1e-4) == "0.0001");
    CHECK(float_repr(1e-5) == "1e-05");
    CHECK(float_repr(-1.5e300) == "-1.5e+300");
    CHECK(float_repr(-0.0) == "-0.0");
    CHECK(float_repr(123456789.123) == "123456789.123");
    CHECK(float_repr(5e-324) == "5e-324");
}
