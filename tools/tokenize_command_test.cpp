#include "tools/tokenize_command.h"

#include "base/error.h"

#include <doctest/doctest.h>
#include <sstream>

using namespace vkinfer;

TEST_CASE("tokenize answers line by line, and a bad line does not end it") {
    text::Vocabulary v;
    v.kind = text::VocabularyKind::bpe;
    v.pre = "gpt-2";
    v.tokens = {"a", "b", "ab", "\u00c3", "<s>"}; // the fourth stands for the byte C3
    v.types = {text::TokenType::normal, text::TokenType::normal, text::TokenType::normal, text::TokenType::normal,
               text::TokenType::control};
    v.merges = {"a b"};
    v.bos = 4;
    v.add_bos = true;
    const text::Tokenizer tokenizer(v);
    std::istringstream in(R"({"text":"abb"}
{"text":"a<s>","parse_special":true,"add_special":true}
not json

{"text":5}
{"text":"a","add_special":1}
{"text":"é"}
)");
    std::ostringstream out;
    CHECK(tools::tokenize_lines(tokenizer, in, out) == 3);
    std::istringstream lines(out.str());
    std::string line;
    std::getline(lines, line);
    CHECK(line == R"({"ids":[2,1],"detok":"abb"})");
    std::getline(lines, line);
    CHECK(line == R"({"ids":[4,0,4],"detok":"<s>a<s>"})");
    for (int i = 0; i < 3; ++i) {
        std::getline(lines, line);
        CHECK(line.starts_with(R"({"error":)"));
    }
    std::getline(lines, line);
    CHECK(line == R"({"ids":[3],"detok_hex":"c3"})");
    CHECK_FALSE(std::getline(lines, line));
}

TEST_CASE("tokenize names a model that is not there") {
    std::istringstream in;
    std::ostringstream out;
    CHECK_THROWS_AS(tools::run_tokenize({.model = "/nonexistent.gguf"}, in, out), Error);
}
