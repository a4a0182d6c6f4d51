#include "text/unicode.h"

#include <doctest/doctest.h>

using namespace vkinfer::text;

TEST_CASE("invalid UTF-8 becomes one code point a byte and comes back unchanged") {
    const std::string_view bad = "a\xC3(\xE2\x82\xF0\x9F\x98\xED\xA0\x80\xC0\xAF\xFFz";
    std::string back;
    std::vector<ClassifiedChar> chars;
    classify_text(bad, chars);
    for (const ClassifiedChar c : chars) append_utf8(back, code_point(c));
    CHECK(back == bad);
    CHECK_FALSE(is_valid_utf8(bad));
    CHECK(is_valid_utf8("aé€😀"));
    CHECK(replace_invalid_utf8("a\xE2\x82") == "a\uFFFD\uFFFD");
}

TEST_CASE("classes follow Unicode") {
    using namespace char_class;
    CHECK((classify('A') & (kLetter | kUpper)) == (kLetter | kUpper));
    CHECK((classify(0x301) & kMark) != 0);
    CHECK((classify(0x0660) & kNumber) != 0);
    CHECK((classify(0x3000) & kSpace) != 0);
    CHECK((classify(0x4E00) & kHan) != 0);
    CHECK((classify(0x200B) & kSpace) == 0);
    CHECK((classify(0x378) >> 21) == 0); // unassigned
}

TEST_CASE("canonical forms") {
    CHECK(to_nfc("e\u0301 \u212B \uAC00\u11A8 \u1100\u1161\u11A8") == "\u00E9 \u00C5 \uAC01 \uAC01");
    CHECK(to_nfc("a\u0323\u0302") == "\u1EAD");
    CHECK(to_nfc("a\u0302\u0323") == "\u1EAD"); // marks are sorted first
    CHECK(to_nfc("\u0958") == "\u0915\u093C");  // excluded from composition
    CHECK(to_nfd("\u1EAD") == std::vector<uint32_t>{'a', 0x323, 0x302});
    CHECK(to_lower(0x410) == 0x430);
}

TEST_CASE("an unfinished character is held back, a broken one is not") {
    CHECK(complete_utf8_prefix("ab\xE2\x82") == 2);
    CHECK(complete_utf8_prefix("ab\xE2\x82\xAC") == 5);
    CHECK(complete_utf8_prefix("\xF0\x9F\x98") == 0);
    CHECK(complete_utf8_prefix("ab\xED\xA0") == 4);
    CHECK(complete_utf8_prefix("\xC0") == 1);
    CHECK(complete_utf8_prefix("") == 0);
}
