// What a model file says about its tokens, as plain data. Knows nothing of file formats: whoever reads the file fills
// it in (runtime/vocabulary_from_gguf.h), and Tokenizer checks it and applies the defaults of missing fields.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vkinfer::text {

using Token = int32_t;
inline constexpr Token kNoToken = -1;

enum class VocabularyKind : uint8_t {
    spm,       ///< SentencePiece byte pairs by score ("llama")
    bpe,       ///< byte-level byte pairs by merge rank ("gpt2")
    bpe_raw,   ///< byte pairs over UTF-8 characters, spaces as U+2581 ("gemma4")
    wordpiece, ///< BERT: longest match from the left ("bert")
    unigram,   ///< SentencePiece unigram: the most probable split ("t5")
};

/// Values as in the files.
enum class TokenType : uint8_t { undefined, normal, unknown, control, user_defined, unused, byte };

struct Vocabulary {
    VocabularyKind kind = VocabularyKind::bpe;
    /// Name of the rule that splits text into words before merging; empty means "default".
    std::string pre;

    std::vector<std::string> tokens; ///< id -> text, any bytes
    std::vector<TokenType> types;    ///< one per token, or empty: all normal
    std::vector<float> scores;       ///< one per token, or empty: all zero
    std::vector<std::string> merges; ///< in rank order, "left right"

    /// Special ids: nothing when the file does not say; kNoToken when it says that there is none.
    std::optional<Token> bos, eos, eot, eom, unk, sep, pad, mask, cls;
    std::optional<Token> fim_pre, fim_suf, fim_mid, fim_pad, fim_rep, fim_sep;

    std::optional<bool> add_bos, add_eos, add_sep, add_space_prefix;
    bool normalize_nfc = false;
    bool lowercase = true;                 ///< wordpiece: case and accents are dropped
    std::optional<bool> strip_accents;     ///< wordpiece: nothing means as `lowercase`
    bool remove_extra_whitespaces = false; ///< unigram
    std::string precompiled_charsmap;      ///< unigram: the normaliser's table

    std::vector<Token> rstrip;   ///< special tokens that swallow white space behind them
    std::vector<Token> lstrip;   ///< special tokens that swallow white space in front of them
    std::vector<Token> suppress; ///< never to be sampled
};

/// Throws Error{invalid_input} for data no tokenizer can work with: lengths that differ, ids out of range, scores that
/// are no numbers, more or longer tokens than the limits.
void validate(const Vocabulary& vocabulary);

inline constexpr size_t kMaxTokens = size_t{1} << 24;
inline constexpr size_t kMaxTokenBytes = size_t{1} << 16;

} // namespace vkinfer::text
