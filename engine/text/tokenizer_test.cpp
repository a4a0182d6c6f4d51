#include "text/tokenizer.h"

#include "base/error.h"
#include "text/unicode.h"

#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <thread>

using namespace vkinfer;
using namespace vkinfer::text;

namespace {

/// All bytes in their alphabet, some words, and special tokens at the end.
Vocabulary small_bpe() {
    Vocabulary v;
    v.kind = VocabularyKind::bpe;
    v.pre = "gpt-2";
    int n_others = 0;
    for (int b = 0; b < 256; ++b) {
        const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
        const int c = printable ? b : 0x100 + n_others++;
        std::string text;
        if (c < 0x80) {
            text.push_back(static_cast<char>(c));
        } else {
            text.push_back(static_cast<char>(0xC0 | c >> 6));
            text.push_back(static_cast<char>(0x80 | (c & 0x3F)));
        }
        v.tokens.push_back(text);
    }
    for (const char* merge : {"h e", "l l", "he ll", "hell o", "\u0120 hello", "a a", "aa aa"}) {
        v.merges.emplace_back(merge);
        const std::string line = merge;
        const size_t space = line.find(' ', 1);
        v.tokens.push_back(line.substr(0, space) + line.substr(space + 1));
    }
    v.types.assign(v.tokens.size(), TokenType::normal);
    const auto special = [&](const char* text, TokenType type) {
        v.tokens.emplace_back(text);
        v.types.push_back(type);
        return static_cast<Token>(v.tokens.size() - 1);
    };
    v.bos = special("<s>", TokenType::control);
    v.eos = special("<|im_end|>", TokenType::control);
    special("<tool>", TokenType::user_defined);
    v.unk = kNoToken;
    return v;
}

Vocabulary small_spm() {
    Vocabulary v;
    v.kind = VocabularyKind::spm;
    v.tokens = {"<unk>", "<s>", "</s>"};
    v.types = {TokenType::unknown, TokenType::control, TokenType::control};
    for (int b = 0; b < 256; ++b) {
        char text[8];
        std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(b));
        v.tokens.emplace_back(text);
        v.types.push_back(TokenType::byte);
    }
    v.scores.assign(v.tokens.size(), 0.0f);
    float score = -1;
    for (const char* token : {"\u2581a", "ab", "\u2581ab", "a", "b", "\u2581", "\u00e9"}) {
        v.tokens.emplace_back(token);
        v.types.push_back(TokenType::normal);
        v.scores.push_back(score--);
    }
    return v;
}

} // namespace

TEST_CASE("byte-level BPE merges by rank and comes back unchanged, whatever the bytes") {
    const Tokenizer tokenizer(small_bpe());
    const Token hello = tokenizer.find("\u0120hello");
    const std::vector<Token> ids = tokenizer.encode("hello hello", false, false);
    REQUIRE(ids.size() == 2);
    CHECK(ids[1] == hello);
    CHECK(tokenizer.piece(hello, false) == " hello");
    std::mt19937 random(3);
    for (int round = 0; round < 500; ++round) {
        std::string text(random() % 60, ' ');
        for (char& c : text) c = static_cast<char>(random() % 3 == 0 ? random() % 256 : "ahelo \n"[random() % 7]);
        REQUIRE(tokenizer.decode(tokenizer.encode(text, false, false), true) == text);
    }
}

TEST_CASE("control tokens in a text are plain text unless they are asked for") {
    const Tokenizer tokenizer(small_bpe());
    const Token eos = tokenizer.special().eos;
    CHECK(tokenizer.encode("<|im_end|>", false, true) == std::vector<Token>{eos});
    const std::vector<Token> plain = tokenizer.encode("<|im_end|>", false, false);
    CHECK(plain.size() > 1);
    CHECK(tokenizer.decode(plain, false) == "<|im_end|>");
    CHECK(tokenizer.encode("<tool>", false, false).size() == 1); // user-defined ones always are
    CHECK(tokenizer.piece(eos, false).empty());
    CHECK(tokenizer.piece(eos, true) == "<|im_end|>");
    CHECK(tokenizer.piece(-1, true).empty());
    CHECK(tokenizer.piece(1 << 30, true).empty());
    CHECK(tokenizer.is_eog(eos));
    CHECK_FALSE(tokenizer.is_eog(tokenizer.special().bos));
    CHECK_FALSE(tokenizer.is_eog(kNoToken));
}

TEST_CASE("beginning and end are added as the vocabulary wants") {
    Vocabulary v = small_bpe();
    CHECK(Tokenizer(v).encode("a", true, false).size() == 1);
    v.add_bos = true;
    v.add_eos = true;
    const Tokenizer tokenizer(v);
    CHECK(tokenizer.encode("a", true, false) == std::vector<Token>{*v.bos, 'a' - '!' + 33, *v.eos});
    CHECK(tokenizer.encode("", true, false) == std::vector<Token>{*v.bos, *v.eos});
    CHECK(tokenizer.encode("a", false, false).size() == 1);
}

TEST_CASE("SPM merges by score, falls back to bytes and handles its space prefix") {
    const Tokenizer tokenizer(small_spm());
    const Token space_ab = tokenizer.find("\u2581ab");
    // "▁a" has the best score, so "▁ab" is never reached by "▁" + "ab" but by "▁a" + "b".
    CHECK(tokenizer.encode("ab", false, false) == std::vector<Token>{space_ab});
    CHECK(tokenizer.encode("ab ab", true, false) == std::vector<Token>{1, space_ab, space_ab});
    const std::vector<Token> bytes = tokenizer.encode("\u20ac", false, false);
    REQUIRE(bytes.size() == 4); // the prefix and three bytes
    CHECK(tokenizer.type(bytes[1]) == TokenType::byte);
    CHECK(tokenizer.decode(bytes, false) == "\u20ac");
    CHECK(tokenizer.encode("", false, false).empty());
    // The text after a special token gets a prefix again.
    CHECK(tokenizer.encode("ab</s>ab", false, true) == std::vector<Token>{space_ab, 2, space_ab});
}

TEST_CASE("merges of raw UTF-8 keep newlines apart and fall back to bytes") {
    Vocabulary v;
    v.kind = VocabularyKind::bpe_raw;
    v.pre = "gemma4";
    v.tokens = {"<bos>", "\u2581", "a", "\n", "\n\n\n", "\u2581a", "\n\n", "<0xC3>", "<0xA9>", "\u2581\u2581"};
    v.types.assign(v.tokens.size(), TokenType::normal);
    v.types[0] = TokenType::control;
    v.types[7] = v.types[8] = TokenType::byte;
    v.merges = {"\u2581 a", "\n \n", "\u2581 \u2581"};
    v.bos = 0;
    v.add_bos = false; // is not asked
    const Tokenizer tokenizer(v);
    CHECK(tokenizer.encode("a a  a", true, false) == std::vector<Token>{0, 2, 5, 1, 5});
    CHECK(tokenizer.encode("a\n\n\na\n\n", false, false) == std::vector<Token>{2, 4, 2, 6});
    CHECK(tokenizer.encode("\u00e9", false, false) == std::vector<Token>{7, 8});
    CHECK(tokenizer.decode(tokenizer.encode("a \u00e9", false, false), false) == "a \u00e9");

    v.pre = "mmbert"; // a space in front, and words begin at each space
    const Tokenizer marks(v);
    CHECK(marks.encode("a  a", true, false) == std::vector<Token>{5, 1, 5});
}

TEST_CASE("a vocabulary without merges joins what gives the lowest id") {
    Vocabulary v = small_bpe();
    v.merges.clear();
    const Tokenizer tokenizer(v);
    CHECK(tokenizer.encode("hello hello", false, false) == Tokenizer(small_bpe()).encode("hello hello", false, false));
}

TEST_CASE("streamed text is whole characters at every step") {
    const Tokenizer tokenizer(small_bpe());
    const std::string text = "a\u00e9\u20ac\U0001f600z";
    Detokenizer stream(tokenizer);
    std::string out;
    for (const Token id : tokenizer.encode(text, false, false)) {
        const std::string piece = stream.add(id);
        CHECK(is_valid_utf8(piece));
        out += piece;
    }
    CHECK(out + stream.finish() == text);

    // A broken character is replaced as soon as it is known to be broken, and once at the end.
    const std::vector<Token> broken = tokenizer.encode("\xE2\x82"
                                                       "a\xF0\x9F",
                                                       false, false);
    Detokenizer second(tokenizer);
    std::string replaced;
    for (const Token id : broken) replaced += second.add(id);
    CHECK(replaced == "\uFFFD\uFFFD"
                      "a");
    CHECK(second.finish() == "\uFFFD");
    CHECK(second.finish().empty());
}

TEST_CASE("one tokenizer serves several threads") {
    const Tokenizer tokenizer(small_bpe());
    const std::vector<Token> wanted = tokenizer.encode("hello aaaa hello", false, false);
    std::vector<std::thread> threads;
    std::vector<int> n_wrong(4);
    for (int& wrong : n_wrong) {
        threads.emplace_back([&] {
            for (int i = 0; i < 200; ++i) wrong += tokenizer.encode("hello aaaa hello", false, false) == wanted ? 0 : 1;
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(n_wrong == std::vector<int>(4));
}

TEST_CASE("damaged vocabularies are refused with a reason") {
    const auto message_of = [](const Vocabulary& v) -> std::string {
        try {
            const Tokenizer tokenizer(v);
        } catch (const Error& error) {
            return error.message();
        }
        return "accepted";
    };
    CHECK(message_of(Vocabulary{}) == "tokenizer: there are no tokens");
    Vocabulary v = small_bpe();
    v.types.pop_back();
    CHECK(message_of(v).contains("token types for"));
    v = small_bpe();
    v.eos = 100000;
    CHECK(message_of(v).contains("eos token 100000"));
    v = small_spm();
    v.scores[5] = std::numeric_limits<float>::quiet_NaN();
    CHECK(message_of(v).contains("not a number"));
    v = small_bpe();
    v.pre = "unheard-of";
    CHECK(message_of(v).contains("'unheard-of'"));
    v = small_bpe();
    v.tokens[0].assign(kMaxTokenBytes + 1, 'x');
    CHECK(message_of(v).contains("bytes long"));
    v = small_bpe();
    v.merges = {"", " ", "a", "a ", "\xFF \xFE", "\u4e00 a"}; // lines nobody can use are passed over
    CHECK(message_of(v) == "accepted");
}

TEST_CASE("long runs take time in proportion") {
    const Tokenizer tokenizer(small_bpe());
    CHECK(tokenizer.encode(std::string(400000, 'a'), false, false).size() == 100000);
    const Tokenizer spm(small_spm());
    CHECK(spm.decode(spm.encode(std::string(100000, ' '), false, false), false).size() == 100000);
}
