// Fuzz target: bytes become a vocabulary and a text; whatever is accepted must encode and decode within its promises.
//
// The input is a list of fields, each a length byte and that many bytes, read until it ends; what is missing is empty:
//   kind and flags, name of the pre-tokenizer, text, then tokens (first byte: type and score) until an empty field, and
//   merges until the end.
#include "base/error.h"
#include "text/pretokenizer.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace vkinfer;
using namespace vkinfer::text;

namespace {

class Fields {
public:
    Fields(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}
    bool at_end() const { return rest_.empty(); }
    std::string_view next() {
        if (rest_.empty()) return {};
        const size_t length = std::min<size_t>(static_cast<uint8_t>(rest_[0]), rest_.size() - 1);
        const std::string_view field = rest_.substr(1, length);
        rest_.remove_prefix(1 + length);
        return field;
    }

private:
    std::string_view rest_;
};

void require(bool condition) {
    if (!condition) std::abort();
}

/// The alphabet of byte-level BPE, so that such vocabularies can be whole and nothing is lost.
void add_all_bytes(Vocabulary& v) {
    int n_others = 0;
    for (int b = 0; b < 256; ++b) {
        const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
        std::string text;
        append_utf8(text, static_cast<uint32_t>(printable ? b : 0x100 + n_others++));
        v.tokens.push_back(text);
        v.types.push_back(TokenType::normal);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Fields fields(data, size);
    const std::string_view flags = fields.next();
    const auto flag = [&](size_t i) { return i < flags.size() ? static_cast<uint8_t>(flags[i]) : uint8_t{0}; };
    Vocabulary v;
    v.kind = static_cast<VocabularyKind>(flag(0) % 5);
    const std::string_view pre = fields.next();
    const auto names = pretokenizer_names();
    v.pre = pre.size() == 1 ? names[static_cast<uint8_t>(pre[0]) % names.size()] : pre;
    const std::string text(fields.next());
    const bool lossless = v.kind == VocabularyKind::bpe && (flag(1) & 1) != 0;
    if (lossless) add_all_bytes(v);
    while (!fields.at_end()) {
        const std::string_view token = fields.next();
        if (token.empty()) break;
        const auto first = static_cast<uint8_t>(token[0]);
        v.tokens.emplace_back(token.substr(1));
        v.types.push_back(lossless && (first % 8 == 5 || first % 8 == 6) ? TokenType::normal
                                                                         : static_cast<TokenType>(first % 8));
        v.scores.push_back(static_cast<float>(first));
    }
    while (!fields.at_end()) v.merges.emplace_back(fields.next());
    if ((flag(1) & 2) != 0) v.add_bos = true;
    if ((flag(1) & 4) != 0) v.add_eos = true;
    if ((flag(1) & 8) != 0) v.add_space_prefix = false;
    if ((flag(1) & 16) != 0) v.normalize_nfc = true;
    if ((flag(1) & 32) != 0) v.scores.clear();
    if ((flag(1) & 64) != 0) v.rstrip.push_back(flag(2));
    if ((flag(1) & 128) != 0) v.lstrip.push_back(flag(2));
    if (flags.size() > 3) v.bos = static_cast<Token>(flag(3));
    if (flags.size() > 4) v.eos = static_cast<Token>(flag(4)) - 1;

    try {
        const Tokenizer tokenizer(v);
        for (const bool parse_special : {false, true}) {
            const std::vector<Token> ids = tokenizer.encode(text, true, parse_special);
            Detokenizer stream(tokenizer, true);
            std::string streamed;
            for (const Token id : ids) {
                require(id >= 0 && static_cast<size_t>(id) < tokenizer.n_tokens());
                const std::string piece = stream.add(id);
                require(is_valid_utf8(piece));
                streamed += piece;
            }
            streamed += stream.finish();
            require(ids == tokenizer.encode(text, true, parse_special)); // from the word cache this time
            const std::string back = tokenizer.decode(ids, true);
            if (is_valid_utf8(back) && !tokenizer.drops_leading_space()) require(streamed == back);
        }
        const bool changes_text = v.normalize_nfc || !v.rstrip.empty() || !v.lstrip.empty();
        if (lossless && !changes_text) {
            // Tokens of bytes may be replaced by later ones with the same text, but never by other text.
            require(tokenizer.decode(tokenizer.encode(text, false, true), true) == text);
        }
        const std::string composed = to_nfc(text);
        require(to_nfc(composed) == composed);
    } catch (const Error& error) {
        require(!error.message().empty());
    }
    return 0;
}
