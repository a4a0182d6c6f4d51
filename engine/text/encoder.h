// The part of a tokenizer that differs between kinds of vocabulary: plain text without special tokens -> ids.
#pragma once

#include "text/merge_table.h"
#include "text/unicode.h"
#include "text/vocabulary.h"
#include "text/word_cache.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::text {

/// Working memory of one encode() call; the tokenizer keeps some for the next calls.
struct EncodeScratch {
    std::vector<ClassifiedChar> chars;
    std::vector<uint32_t> lengths, more_lengths;
    std::vector<Symbol> symbols;
    MergeScratch merge;
    WordCache cache;
    std::string text, normalized;
};

class Encoder {
public:
    virtual ~Encoder() = default;
    /// Appends the ids of `text`. `begins` says that it is the first text or follows a special token.
    virtual void encode(std::string_view text, bool begins, std::vector<Token>& ids, EncodeScratch& scratch) const = 0;
};

/// Byte-level BPE: words by a pre-tokenizer, then merges of bytes.
std::unique_ptr<Encoder> make_byte_bpe(const Vocabulary& vocabulary);
/// Merges of UTF-8 characters with spaces as U+2581: by score (spm) or by rank (bpe_raw).
std::unique_ptr<Encoder> make_char_bpe(const Vocabulary& vocabulary);
/// BERT's longest match from the left.
std::unique_ptr<Encoder> make_wordpiece(const Vocabulary& vocabulary);

/// Bytes for a token text in the alphabet of byte-level BPE, where each byte is one printable character; false when it
/// has a character outside of the alphabet.
bool bytes_from_alphabet(std::string_view text, std::string& bytes);

/// The byte of a token text of the form <0xHH>, or -1.
int byte_of_token(std::string_view text);

/// Cuts a merge line "left right" at the first space behind the first byte; false when there is none.
bool split_merge(std::string_view line, std::string_view& left, std::string_view& right);

} // namespace vkinfer::text
