// WordPiece (BERT): text is cleaned, lower-cased and cut at white space and punctuation; each word is then covered from
// the left with the longest tokens. In GGUF files a token that begins a word is written with U+2581 in front.
#include "text/encoder.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

namespace vkinfer::text {

namespace {

struct StringHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

/// CJK ideographs, of which each is a word.
bool is_ideograph(uint32_t c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
           (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

class Wordpiece final : public Encoder {
public:
    explicit Wordpiece(const Vocabulary& vocabulary)
        : lowercase_(vocabulary.lowercase), strip_accents_(vocabulary.strip_accents.value_or(vocabulary.lowercase)),
          unk_(vocabulary.unk.value_or(kNoToken)) {
        for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
            const std::string& token = vocabulary.tokens[id];
            if (token.empty() || token.size() > kLongestToken) continue;
            tokens_.insert_or_assign(token, static_cast<Token>(id));
            longest_ = std::max(longest_, token.size());
        }
    }

    void encode(std::string_view text, bool, std::vector<Token>& ids, EncodeScratch& scratch) const override {
        std::string& word = scratch.text;
        word.clear();
        for_each_char(text, [&](uint32_t c) {
            using namespace char_class;
            const ClassifiedChar classes = classify(c);
            if ((classes & kSpace) != 0) return end_word(word, ids);
            if (c == 0 || c == 0xFFFD || c >= kInvalidByteBase || (classes & kControl) != 0) return;
            const bool alone = (classes & kPunct) != 0 || (c < 0x7F && (classes & kSymbol) != 0) || is_ideograph(c);
            if (alone) end_word(word, ids);
            append_utf8(word, lowercase_ ? to_lower(c) : c);
            if (alone) end_word(word, ids);
        });
        end_word(word, ids);
    }

private:
    static constexpr size_t kLongestToken = 1024;

    template<class Visit>
    void for_each_char(std::string_view text, Visit visit) const {
        for (size_t at = 0; at < text.size();) {
            const size_t begin = at;
            const uint32_t c = next_code_point(text, at);
            if (!strip_accents_ || c < 0xC0) {
                visit(c);
            } else if (c >= 0xAC00 && c <= 0xD7A3) {
                // Of a Hangul syllable only the leading letter stays: so does the reference implementation.
                visit(0x1100 + (c - 0xAC00) / (21 * 28));
            } else {
                for (const uint32_t part : to_nfd(text.substr(begin, at - begin))) {
                    if ((classify(part) & char_class::kMark) == 0) visit(part);
                }
            }
        }
    }

    void end_word(std::string& word, std::vector<Token>& ids) const {
        if (word.empty()) return;
        word.insert(0, "\u2581");
        const std::string_view all = word;
        const size_t first = ids.size();
        for (size_t at = 0; at < all.size();) {
            size_t length = std::min(longest_, all.size() - at);
            auto found = tokens_.end();
            while (length > 0 && (found = tokens_.find(all.substr(at, length))) == tokens_.end()) --length;
            if (length == 0) {
                // One gap makes the whole word unknown.
                ids.resize(first);
                if (unk_ != kNoToken) ids.push_back(unk_);
                break;
            }
            ids.push_back(found->second);
            at += length;
        }
        word.clear();
    }

    bool lowercase_;
    bool strip_accents_;
    Token unk_;
    size_t longest_ = 0;
    std::unordered_map<std::string, Token, StringHash, std::equal_to<>> tokens_;
};

} // namespace

std::unique_ptr<Encoder> make_wordpiece(const Vocabulary& vocabulary) {
    return std::make_unique<Wordpiece>(vocabulary);
}

} // namespace vkinfer::text
