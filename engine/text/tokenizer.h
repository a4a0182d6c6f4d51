// Text -> token ids and back, for all kinds of vocabulary. A Tokenizer does not change after construction and may be
// used from several threads at once.
#pragma once

#include "text/vocabulary.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::text {

/// Ids of the tokens with a role, defaults applied; kNoToken where there is none.
struct SpecialTokens {
    Token bos = kNoToken, eos = kNoToken, eot = kNoToken, eom = kNoToken, unk = kNoToken, sep = kNoToken,
          pad = kNoToken, mask = kNoToken, cls = kNoToken;
    Token fim_pre = kNoToken, fim_suf = kNoToken, fim_mid = kNoToken, fim_pad = kNoToken, fim_rep = kNoToken,
          fim_sep = kNoToken;
};

class Tokenizer {
public:
    /// Throws Error for data that is damaged or of a kind nobody here knows.
    explicit Tokenizer(Vocabulary vocabulary);
    ~Tokenizer();
    Tokenizer(Tokenizer&&) noexcept;
    Tokenizer& operator=(Tokenizer&&) noexcept;

    size_t n_tokens() const { return types_.size(); }

    /// `add_special`: put BOS, EOS or separator as the model wants. `parse_special`: control tokens in the text are
    /// recognised; otherwise they are plain text, so that nobody can slip them in. User-defined tokens always are.
    /// Throws Error{invalid_input} for texts of 2 GiB and more.
    std::vector<Token> encode(std::string_view text, bool add_special, bool parse_special) const;

    /// Bytes of one token, perhaps part of a character. Control and unknown tokens are empty unless `special`.
    /// An id out of range is empty too.
    std::string_view piece(Token id, bool special) const;
    /// All ids; the space that some vocabularies put in front of a text is dropped again. May end inside a character.
    std::string decode(std::span<const Token> ids, bool special) const;
    /// Whether decode() drops one leading space.
    bool drops_leading_space() const { return drops_leading_space_; }

    TokenType type(Token id) const;
    /// The id whose text in the vocabulary is `text`, or kNoToken. Linear: for start-up, not for loops.
    Token find(std::string_view text) const;

    const SpecialTokens& special() const { return special_; }
    bool adds_bos() const { return add_bos_; }
    bool adds_eos() const { return add_eos_; }
    /// Whether generation ends with this token.
    bool is_eog(Token id) const;
    /// All such tokens, ascending.
    const std::vector<Token>& eog_tokens() const { return eog_; }
    /// Tokens that must never be sampled.
    const std::vector<Token>& suppressed_tokens() const { return suppressed_; }

private:
    struct Parts; // encoder, splitter and working memory

    void resolve_special(const Vocabulary& vocabulary);
    void find_eog(const Vocabulary& vocabulary);
    void render_pieces(const Vocabulary& vocabulary);

    SpecialTokens special_;
    bool add_bos_ = false, add_eos_ = false, add_sep_ = false;
    bool drops_leading_space_ = false;
    std::vector<Token> eog_, suppressed_;
    std::vector<TokenType> types_;
    std::string piece_bytes_;
    std::vector<uint32_t> piece_ends_;
    std::vector<std::string> texts_;
    std::unique_ptr<Parts> parts_;
};

/// Turns a stream of tokens into text. Every piece it gives out is valid UTF-8 of whole characters: an unfinished
/// character waits for the next token, and bytes that can never become one are replaced by U+FFFD.
class Detokenizer {
public:
    /// `tokenizer` must outlive this. `at_start`: the first token begins a text (so its leading space may be dropped);
    /// false for an answer that continues a prompt.
    explicit Detokenizer(const Tokenizer& tokenizer, bool special = false, bool at_start = false);

    /// The text that this token completes; may be empty.
    std::string add(Token id);
    /// What is left at the end: an unfinished character becomes U+FFFD. The next add() starts afresh.
    std::string finish();

private:
    const Tokenizer* tokenizer_;
    bool special_;
    bool drop_space_;
    std::string pending_;
};

} // namespace vkinfer::text
