// Every vocabulary and every case of golden/tokenizers: ids, the way back, the pieces of all tokens, special ids.
#include "base/file.h"
#include "format/gguf_file.h"
#include "runtime/vocabulary_from_gguf.h"
#include "sha256.h"
#include "support/support.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

#include <algorithm>
#include <boost/json.hpp>
#include <doctest/doctest.h>
#include <filesystem>
#include <map>
#include <sstream>
#include <zlib.h>

namespace {

using namespace vkinfer;
namespace json = boost::json;
using text::Token;

std::vector<std::byte> read_gzip(const std::filesystem::path& path) {
    std::vector<std::byte> bytes;
    gzFile file = gzopen(path.c_str(), "rb");
    REQUIRE_MESSAGE(file != nullptr, path.string());
    std::vector<std::byte> buffer(size_t{1} << 20);
    for (int n = 0; (n = gzread(file, buffer.data(), static_cast<unsigned>(buffer.size()))) > 0;) {
        bytes.insert(bytes.end(), buffer.begin(), buffer.begin() + n);
    }
    gzclose(file);
    return bytes;
}

/// Vocabularies are used by many rules, so each is unpacked once.
const std::vector<std::byte>& vocabulary_bytes(const std::filesystem::path& path) {
    static std::map<std::filesystem::path, std::vector<std::byte>> loaded;
    const auto key = std::filesystem::weakly_canonical(path);
    const auto found = loaded.find(key);
    return found != loaded.end() ? found->second : loaded.emplace(key, read_gzip(path)).first->second;
}

std::string to_hex(std::string_view bytes) {
    std::string text;
    for (const char byte : bytes) text += std::format("{:02x}", static_cast<uint8_t>(byte));
    return text;
}

std::vector<Token> ids_of(const json::value& list) {
    std::vector<Token> ids;
    for (const json::value& id : list.as_array()) ids.push_back(id.to_number<Token>());
    return ids;
}

std::string join(const std::vector<Token>& ids) {
    std::string text;
    for (const Token id : ids) text += std::format("{} ", id);
    return text;
}

struct Totals {
    int ids = 0, ids_ref = 0, detok = 0, by_name = 0, failed = 0;
};

void check_case(const text::Tokenizer& tokenizer, const json::object& c, Totals& totals) {
    const std::string text(c.at("text").as_string());
    const bool add_special = c.at("add_special").as_bool();
    const bool parse_special = c.at("parse_special").as_bool();
    const std::vector<Token> ids = ids_of(c.at("ids"));
    const json::value* reference = c.if_contains("ids_ref");
    const bool by_name = c.contains("by_name") && reference == nullptr;
    const auto report = [&](const char* what, const std::string& got, const std::string& wanted) {
        if (by_name) return;
        ++totals.failed;
        if (totals.failed > 5) return;
        MESSAGE(std::string(what) << " of " << json::serialize(json::value(text)).substr(0, 600) << " special "
                                  << add_special << parse_special << "\n   got  " << got.substr(0, 600) << "\n  wanted "
                                  << wanted.substr(0, 600));
    };
    const std::vector<Token> got = tokenizer.encode(text, add_special, parse_special);
    if (by_name) ++totals.by_name;
    if (reference != nullptr && got == ids_of(*reference)) {
        ++totals.ids_ref;
    } else if (got == ids) {
        ++totals.ids;
    } else {
        report("ids", join(got), join(reference != nullptr ? ids_of(*reference) : ids));
    }

    // The way back is stored for `ids`.
    if (add_special) return;
    std::string wanted_hex = to_hex(text);
    if (const json::value* detok = c.if_contains("detok")) wanted_hex = to_hex(std::string_view(detok->as_string()));
    if (const json::value* hex = c.if_contains("detok_hex")) wanted_hex = std::string(hex->as_string());
    const std::string back = tokenizer.decode(ids, true);
    if (to_hex(back) == wanted_hex) {
        ++totals.detok;
    } else {
        report("detok", to_hex(back), wanted_hex);
    }
    // Streamed output is the same text, with broken characters replaced, and never half a character.
    text::Detokenizer stream(tokenizer, true, true);
    std::string streamed;
    bool whole = true;
    for (const Token id : ids) {
        const std::string piece = stream.add(id);
        whole = whole && text::is_valid_utf8(piece);
        streamed += piece;
    }
    streamed += stream.finish();
    if (!whole || (text::is_valid_utf8(back) && streamed != back)) report("stream", to_hex(streamed), to_hex(back));
}

void check_folder(const std::filesystem::path& folder) {
    const json::object meta = json::parse(read_text_file(folder / "meta.json")).as_object();
    const std::filesystem::path vocabulary_path = folder / std::string(meta.at("vocab").as_string());
    const std::vector<std::byte>& bytes = vocabulary_bytes(vocabulary_path);
    format::GgufFile file(bytes, folder.filename().string());
    if (const json::value* overrides = meta.if_contains("override")) {
        for (const auto& [key, value] : overrides->as_object()) {
            file.override_metadata(std::format("{}=str:{}", std::string(key), std::string(value.as_string())));
        }
    }
    const text::Vocabulary vocabulary = runtime::vocabulary_from_gguf(file);
    const text::Tokenizer tokenizer(vocabulary);

    CHECK(tokenizer.n_tokens() == meta.at("n_vocab").to_number<size_t>());
    CHECK(tokenizer.special().bos == meta.at("bos").to_number<Token>());
    CHECK(tokenizer.special().eos == meta.at("eos").to_number<Token>());
    CHECK(tokenizer.special().sep == meta.at("sep").to_number<Token>());
    CHECK(tokenizer.special().pad == meta.at("pad").to_number<Token>());
    CHECK(tokenizer.adds_bos() == meta.at("add_bos").as_bool());
    CHECK(tokenizer.adds_eos() == meta.at("add_eos").as_bool());
    CHECK(join(tokenizer.eog_tokens()) == join(ids_of(meta.at("eog"))));
    CHECK(join(vocabulary.rstrip) == join(ids_of(meta.at("rstrip"))));
    CHECK(join(vocabulary.lstrip) == join(ids_of(meta.at("lstrip"))));

    test::Sha256 digest;
    for (size_t id = 0; id < tokenizer.n_tokens(); ++id) {
        const std::string_view piece = tokenizer.piece(static_cast<Token>(id), true);
        for (int shift = 0; shift < 32; shift += 8) {
            const char byte = static_cast<char>(piece.size() >> shift);
            digest.add(std::string_view(&byte, 1));
        }
        digest.add(piece);
    }
    CHECK(digest.hex() == std::string_view(meta.at("pieces_sha256").as_string()));

    Totals totals;
    std::istringstream lines(read_text_file(folder / "cases.jsonl"));
    for (std::string line; std::getline(lines, line);) {
        if (!line.empty()) check_case(tokenizer, json::parse(line).as_object(), totals);
    }
    std::printf("%-32s %4d ids, %3d ids_ref, %4d back, %d by name, %d failed\n", folder.filename().c_str(), totals.ids,
                totals.ids_ref, totals.detok, totals.by_name, totals.failed);
    CHECK(totals.ids + totals.ids_ref > 0);
    CHECK(totals.failed == 0);
}

} // namespace

TEST_CASE("every case of every reference vocabulary and pre-tokenizer") {
    VKINFER_REQUIRE_GOLDEN(golden);
    std::vector<std::filesystem::path> folders;
    for (const auto& entry : std::filesystem::directory_iterator(golden / "tokenizers")) {
        if (std::filesystem::exists(entry.path() / "meta.json")) folders.push_back(entry.path());
    }
    std::ranges::sort(folders);
    REQUIRE_FALSE(folders.empty());
    for (const auto& folder : folders) {
        SUBCASE(folder.filename().c_str()) {
            check_folder(folder);
        }
    }
}
