// Merging of UTF-8 characters: SentencePiece byte pairs, where the score of the resulting token decides ("llama"), and
// the variant with a list of merges ("gemma4"). Spaces are U+2581 in the vocabulary. There are no words: merges may run
// over the whole text. But most neighbours never occur inside any token, and where two such characters meet the text
// falls apart into segments that cannot influence each other; those are what is merged, and remembered, one by one.
#include "text/encoder.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <functional>
#include <unordered_map>

namespace vkinfer::text {

namespace {

constexpr std::string_view kSpaceMark = "\u2581";
/// Longer tokens are found as special tokens only; real ones that come from merges have up to 256 bytes.
constexpr size_t kLongestMerged = 512;

/// Bytes of the character at `at` by its first byte alone, as SentencePiece cuts; less at the end of the text.
size_t char_length(std::string_view text, size_t at) {
    const auto lead = static_cast<uint8_t>(text[at]);
    const size_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    return std::min(length, text.size() - at);
}

/// A character as a number: its bytes, and a one in front of them.
uint64_t char_code(std::string_view bytes) {
    uint64_t code = 1;
    for (const char byte : bytes) code = code << 8 | static_cast<uint8_t>(byte);
    return code;
}

struct StringHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

/// Pairs of characters that stand next to each other in some merge. A false yes only makes a segment longer.
class Neighbours {
public:
    void add(uint64_t left, uint64_t right) { bits_[hash(left, right)] = true; }
    bool may_join(uint64_t left, uint64_t right) const { return bits_[hash(left, right)]; }

private:
    static constexpr size_t kBits = size_t{1} << 20;
    static size_t hash(uint64_t left, uint64_t right) {
        return static_cast<size_t>(((left * 0x9E3779B97F4A7C15u) ^ right) * 0xBF58476D1CE4E5B9u >> 44);
    }
    std::bitset<kBits> bits_;
};

class CharBpe final : public Encoder {
public:
    explicit CharBpe(const Vocabulary& vocabulary)
        : splits_marks_(vocabulary.pre == "mmbert"),
          splits_lines_(vocabulary.kind == VocabularyKind::bpe_raw && !splits_marks_),
          add_space_prefix_(vocabulary.add_space_prefix.value_or(!splits_lines_)),
          normalize_nfc_(vocabulary.normalize_nfc), unk_(vocabulary.unk.value_or(kNoToken)) {
        byte_tokens_.fill(kNoToken);
        for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
            const std::string& token = vocabulary.tokens[id];
            if (token.empty()) continue;
            if (token.size() <= kLongestMerged) token_of_symbol_[intern(token)] = static_cast<Token>(id);
        }
        find_byte_tokens(vocabulary);
        if (vocabulary.kind == VocabularyKind::bpe_raw) {
            merges_from_lines(vocabulary);
        } else {
            merges_from_scores(vocabulary);
        }
        std::vector<std::pair<uint64_t, uint64_t>> ends(texts_.size());
        for (Symbol symbol = 0; symbol < texts_.size(); ++symbol) ends[symbol] = first_and_last(*texts_[symbol]);
        merges_.for_each_pair(
            [&](Symbol left, Symbol right) { neighbours_.add(ends[left].second, ends[right].first); });
    }

    void encode(std::string_view text, bool begins, std::vector<Token>& ids, EncodeScratch& scratch) const override {
        if (text.empty()) return;
        if (normalize_nfc_) {
            scratch.normalized = to_nfc(text);
            text = scratch.normalized;
        }
        std::string& marked = scratch.text;
        marked.clear();
        if (begins && add_space_prefix_) marked += kSpaceMark;
        for (size_t at = 0; at < text.size();) {
            const size_t space = std::min(text.find(' ', at), text.size());
            marked.append(text, at, space - at);
            if (space < text.size()) marked += kSpaceMark;
            at = space + 1;
        }
        const std::string_view all = marked;
        if (splits_marks_) {
            for (size_t at = 0; at < all.size();) {
                const size_t end = std::min(all.find(kSpaceMark, at + 1), all.size());
                encode_run(all.substr(at, end - at), ids, scratch);
                at = end;
            }
            return;
        }
        if (!splits_lines_) return encode_run(all, ids, scratch);
        for (size_t at = 0; at < all.size();) {
            const bool newlines = all[at] == '\n';
            const size_t end = std::min(newlines ? all.find_first_not_of('\n', at) : all.find('\n', at), all.size());
            const std::string_view run = all.substr(at, end - at);
            const auto whole = newlines ? symbols_.find(run) : symbols_.end();
            if (whole != symbols_.end() && token_of_symbol_[whole->second] != kNoToken) {
                ids.push_back(token_of_symbol_[whole->second]);
            } else {
                encode_run(run, ids, scratch);
            }
            at = end;
        }
    }

private:
    Symbol intern(std::string_view text) {
        const auto [place, is_new] =
            symbols_.try_emplace(std::string(text), static_cast<Symbol>(token_of_symbol_.size()));
        if (is_new) {
            token_of_symbol_.push_back(kNoToken);
            texts_.push_back(&place->first); // keys of a map stay where they are
        }
        return place->second;
    }

    static std::pair<uint64_t, uint64_t> first_and_last(std::string_view text) {
        const uint64_t first = char_code(text.substr(0, char_length(text, 0)));
        uint64_t last = first;
        for (size_t at = 0; at < text.size();) {
            const size_t length = char_length(text, at);
            last = char_code(text.substr(at, length));
            at += length;
        }
        return {first, last};
    }

    void find_byte_tokens(const Vocabulary& vocabulary) {
        for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
            if (const int byte = byte_of_token(vocabulary.tokens[id]); byte >= 0) {
                byte_tokens_[static_cast<size_t>(byte)] = static_cast<Token>(id);
            }
        }
        for (size_t byte = 0; byte < byte_tokens_.size(); ++byte) {
            if (byte_tokens_[byte] != kNoToken) continue;
            const auto single = symbols_.find(std::string(1, static_cast<char>(byte)));
            byte_tokens_[byte] = single != symbols_.end() ? token_of_symbol_[single->second] : unk_;
        }
    }

    // Every way to cut a token in two is a merge; equal scores are equal ranks.
    void merges_from_scores(const Vocabulary& vocabulary) {
        const auto score = [&](size_t id) { return vocabulary.scores.empty() ? 0.0f : vocabulary.scores[id]; };
        std::vector<float> scores;
        for (size_t id = 0; id < vocabulary.tokens.size(); ++id) scores.push_back(score(id));
        std::ranges::sort(scores, std::greater<>());
        scores.erase(std::ranges::unique(scores).begin(), scores.end());
        // A character without a token of its own may still be part of one.
        const size_t n_tokens_symbols = texts_.size();
        for (Symbol symbol = 0; symbol < n_tokens_symbols; ++symbol) {
            const std::string_view token = *texts_[symbol];
            for (size_t at = 0; at < token.size();) {
                const size_t length = char_length(token, at);
                intern(token.substr(at, length));
                at += length;
            }
        }
        for (Symbol symbol = 0; symbol < n_tokens_symbols; ++symbol) {
            const std::string_view token = *texts_[symbol];
            const float own = score(static_cast<size_t>(token_of_symbol_[symbol]));
            const auto rank =
                static_cast<uint32_t>(std::ranges::lower_bound(scores, own, std::greater<>()) - scores.begin());
            for (size_t cut = char_length(token, 0); cut < token.size(); cut += char_length(token, cut)) {
                const auto left = symbols_.find(token.substr(0, cut));
                if (left == symbols_.end()) continue;
                const auto right = symbols_.find(token.substr(cut));
                if (right != symbols_.end()) merges_.add(left->second, right->second, rank, symbol);
            }
        }
    }

    void merges_from_lines(const Vocabulary& vocabulary) {
        merges_ = MergeTable(vocabulary.merges.size());
        for (size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
            std::string_view left, right;
            if (!split_merge(vocabulary.merges[rank], left, right) || left.size() + right.size() > kLongestMerged)
                continue;
            const Symbol l = intern(left);
            const Symbol r = intern(right);
            merges_.add(l, r, static_cast<uint32_t>(rank), intern(std::string(left).append(right)));
        }
    }

    void encode_run(std::string_view text, std::vector<Token>& ids, EncodeScratch& scratch) const {
        size_t begin = 0;
        size_t at = char_length(text, 0);
        uint64_t left = char_code(text.substr(0, at));
        while (at < text.size()) {
            const size_t length = char_length(text, at);
            const uint64_t right = char_code(text.substr(at, length));
            if (!neighbours_.may_join(left, right)) {
                encode_segment(text.substr(begin, at - begin), ids, scratch);
                begin = at;
            }
            left = right;
            at += length;
        }
        encode_segment(text.substr(begin), ids, scratch);
    }

    void encode_segment(std::string_view text, std::vector<Token>& ids, EncodeScratch& scratch) const {
        if (text.size() > WordCache::kMaxBytes) return merge_segment(text, ids, scratch);
        bool hit;
        WordCache::Entry& entry = scratch.cache.find(text, hit);
        if (hit) {
            ids.insert(ids.end(), entry.tokens.begin(), entry.tokens.begin() + entry.n_tokens);
            return;
        }
        const size_t first = ids.size();
        merge_segment(text, ids, scratch);
        WordCache::put(entry, text.size(), std::span(ids).subspan(first));
    }

    void merge_segment(std::string_view text, std::vector<Token>& ids, EncodeScratch& scratch) const {
        scratch.symbols.clear();
        for (size_t at = 0; at < text.size();) {
            const size_t length = char_length(text, at);
            const auto symbol = symbols_.find(text.substr(at, length));
            scratch.symbols.push_back(symbol == symbols_.end() ? kNoSymbol : symbol->second);
            at += length;
        }
        merges_.merge(scratch.symbols, scratch.merge);
        size_t at = 0;
        for (const Symbol symbol : scratch.symbols) {
            const size_t length = symbol == kNoSymbol ? char_length(text, at) : texts_[symbol]->size();
            if (symbol != kNoSymbol && token_of_symbol_[symbol] != kNoToken) {
                ids.push_back(token_of_symbol_[symbol]);
            } else {
                for (const char byte : text.substr(at, length)) {
                    const Token token = byte_tokens_[static_cast<uint8_t>(byte)];
                    if (token != kNoToken) ids.push_back(token);
                }
            }
            at += length;
        }
    }

    bool splits_marks_; ///< words begin at each U+2581
    bool splits_lines_; ///< runs of newlines, and what stands between them
    bool add_space_prefix_;
    bool normalize_nfc_;
    Token unk_;
    std::unordered_map<std::string, Symbol, StringHash, std::equal_to<>> symbols_;
    std::vector<Token> token_of_symbol_;
    std::vector<const std::string*> texts_;
    std::array<Token, 256> byte_tokens_;
    MergeTable merges_;
    Neighbours neighbours_;
};

} // namespace

int byte_of_token(std::string_view text) {
    if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return -1;
    int value = 0;
    for (const char c : text.substr(3, 2)) {
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

std::unique_ptr<Encoder> make_char_bpe(const Vocabulary& vocabulary) {
    return std::make_unique<CharBpe>(vocabulary);
}

} // namespace vkinfer::text
