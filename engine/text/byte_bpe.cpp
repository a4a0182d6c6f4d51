// Byte-level BPE ("gpt2"). The vocabulary writes bytes as printable characters; here everything is turned back into
// bytes once, at load, so that encoding works on the text as it is.
#include "base/error.h"
#include "text/encoder.h"
#include "text/pretokenizer.h"

#include <array>
#include <format>
#include <unordered_map>

namespace vkinfer::text {

namespace {

/// Code point of the alphabet -> byte, or -1. Printable Latin-1 stands for itself, the other 68 bytes for U+0100...
constexpr std::array<int16_t, 0x144> make_alphabet() {
    std::array<int16_t, 0x144> bytes{};
    bytes.fill(-1);
    int16_t n_others = 0;
    for (int16_t b = 0; b < 256; ++b) {
        const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
        bytes[static_cast<size_t>(printable ? b : 0x100 + n_others++)] = b;
    }
    return bytes;
}
constexpr std::array<int16_t, 0x144> kAlphabet = make_alphabet();

class ByteBpe final : public Encoder {
public:
    explicit ByteBpe(const Vocabulary& vocabulary) : unk_(vocabulary.unk.value_or(kNoToken)) {
        const std::string name = vocabulary.pre.empty() ? "default" : vocabulary.pre;
        rule_ = find_pretokenizer(name);
        if (rule_ == nullptr) {
            throw Error(ErrorKind::unsupported, std::format("the pre-tokenizer '{}' is not known", name),
                        "Set tokenizer.ggml.pre to the name of a known rule that fits the model, such as "
                        "--override-kv tokenizer.ggml.pre=str:llama-bpe.");
        }
        normalize_nfc_ = vocabulary.normalize_nfc;
        for (uint32_t b = 0; b < 256; ++b) intern(std::string(1, static_cast<char>(b)));
        std::string bytes;
        for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
            if (!bytes_from_alphabet(vocabulary.tokens[id], bytes) || bytes.empty()) continue;
            // Special tokens are written as they are and found by SpecialSplitter; plain text must not merge into one.
            const TokenType type = vocabulary.types[id];
            const bool special =
                type == TokenType::control || type == TokenType::unknown || type == TokenType::user_defined;
            if (special && bytes.size() > 1) continue;
            token_of_symbol_[intern(bytes)] = static_cast<Token>(id);
        }
        if (vocabulary.merges.empty()) {
            merges_from_ids(vocabulary);
        } else {
            merges_from_lines(vocabulary);
        }
    }

    void encode(std::string_view text, bool, std::vector<Token>& ids, EncodeScratch& scratch) const override {
        if (normalize_nfc_) {
            scratch.normalized = to_nfc(text);
            text = scratch.normalized;
        }
        // The scanners need whole runs, so the text is classified at once.
        classify_text(text, scratch.chars);
        split_words(*rule_, scratch.chars, scratch.lengths, scratch.more_lengths);
        const ClassifiedChar* c = scratch.chars.data();
        size_t at = 0;
        for (const uint32_t n_chars : scratch.lengths) {
            const size_t begin = at;
            for (const ClassifiedChar* end = c + n_chars; c < end; ++c) at += utf8_length(code_point(*c));
            encode_word(text.substr(begin, at - begin), ids, scratch);
        }
    }

private:
    Symbol intern(std::string_view bytes) {
        const auto [place, is_new] =
            symbols_.try_emplace(std::string(bytes), static_cast<Symbol>(token_of_symbol_.size()));
        if (is_new) {
            token_of_symbol_.push_back(kNoToken);
            length_of_symbol_.push_back(static_cast<uint32_t>(bytes.size()));
        }
        return place->second;
    }

    void merges_from_lines(const Vocabulary& vocabulary) {
        merges_ = MergeTable(vocabulary.merges.size());
        std::string left_bytes, right_bytes;
        for (size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
            std::string_view left, right;
            if (!split_merge(vocabulary.merges[rank], left, right) || !bytes_from_alphabet(left, left_bytes) ||
                !bytes_from_alphabet(right, right_bytes)) {
                continue;
            }
            const Symbol l = intern(left_bytes);
            const Symbol r = intern(right_bytes);
            merges_.add(l, r, static_cast<uint32_t>(rank), intern(left_bytes + right_bytes));
        }
    }

    // Some files have no merges, because their tokenizer joins whatever gives the token of the lowest id. Every way to
    // cut a token into two tokens is then a merge with that id as rank.
    void merges_from_ids(const Vocabulary& vocabulary) {
        constexpr size_t longest = 256;
        std::string bytes;
        for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
            if (!bytes_from_alphabet(vocabulary.tokens[id], bytes) || bytes.size() < 2 || bytes.size() > longest)
                continue;
            const auto whole = symbols_.find(bytes);
            if (whole == symbols_.end() || token_of_symbol_[whole->second] != static_cast<Token>(id)) continue;
            const std::string_view view = bytes;
            for (size_t cut = 1; cut < bytes.size(); ++cut) {
                const auto left = symbols_.find(view.substr(0, cut));
                if (left == symbols_.end()) continue;
                const auto right = symbols_.find(view.substr(cut));
                if (right == symbols_.end()) continue;
                merges_.add(left->second, right->second, static_cast<uint32_t>(id), whole->second);
            }
        }
    }

    void encode_word(std::string_view word, std::vector<Token>& ids, EncodeScratch& scratch) const {
        if (word.size() == 1) return append(static_cast<uint8_t>(word[0]), word, ids);
        if (word.size() > WordCache::kMaxBytes) return merge_word(word, ids, scratch);
        bool hit;
        WordCache::Entry& entry = scratch.cache.find(word, hit);
        if (hit) {
            ids.insert(ids.end(), entry.tokens.begin(), entry.tokens.begin() + entry.n_tokens);
            return;
        }
        const size_t first = ids.size();
        merge_word(word, ids, scratch);
        WordCache::put(entry, word.size(), std::span(ids).subspan(first));
    }

    void merge_word(std::string_view word, std::vector<Token>& ids, EncodeScratch& scratch) const {
        if (rule_->ignore_merges) {
            const auto whole = symbols_.find(word);
            if (whole != symbols_.end() && token_of_symbol_[whole->second] != kNoToken) {
                ids.push_back(token_of_symbol_[whole->second]);
                return;
            }
        }
        scratch.symbols.assign(reinterpret_cast<const uint8_t*>(word.data()),
                               reinterpret_cast<const uint8_t*>(word.data() + word.size()));
        merges_.merge(scratch.symbols, scratch.merge);
        size_t at = 0;
        for (const Symbol symbol : scratch.symbols) {
            append(symbol, word.substr(at, length_of_symbol_[symbol]), ids);
            at += length_of_symbol_[symbol];
        }
    }

    /// The token of a symbol; without one (damaged vocabularies only) the tokens of its bytes.
    void append(Symbol symbol, std::string_view bytes, std::vector<Token>& ids) const {
        if (token_of_symbol_[symbol] != kNoToken) {
            ids.push_back(token_of_symbol_[symbol]);
            return;
        }
        for (const char byte : bytes) {
            const Token token = token_of_symbol_[static_cast<uint8_t>(byte)];
            if (token != kNoToken || unk_ != kNoToken) ids.push_back(token != kNoToken ? token : unk_);
        }
    }

    struct StringHash {
        using is_transparent = void;
        size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    };

    const PretokenizerRule* rule_ = nullptr;
    Token unk_;
    bool normalize_nfc_ = false;
    std::unordered_map<std::string, Symbol, StringHash, std::equal_to<>> symbols_; ///< the first 256 are the bytes
    std::vector<Token> token_of_symbol_;
    std::vector<uint32_t> length_of_symbol_;
    MergeTable merges_;
};

} // namespace

bool bytes_from_alphabet(std::string_view text, std::string& bytes) {
    bytes.clear();
    for (size_t at = 0; at < text.size();) {
        const uint32_t c = next_code_point(text, at);
        if (c >= kAlphabet.size() || kAlphabet[c] < 0) return false;
        bytes.push_back(static_cast<char>(kAlphabet[c]));
    }
    return true;
}

bool split_merge(std::string_view line, std::string_view& left, std::string_view& right) {
    const size_t space = line.find(' ', 1);
    if (line.empty() || space == std::string_view::npos || space + 1 == line.size()) return false;
    left = line.substr(0, space);
    right = line.substr(space + 1);
    return true;
}

std::unique_ptr<Encoder> make_byte_bpe(const Vocabulary& vocabulary) {
    return std::make_unique<ByteBpe>(vocabulary);
}

} // namespace vkinfer::text
