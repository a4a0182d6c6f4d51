// Splits text into the words inside which byte pairs may merge. Every rule is a short list of steps; each step cuts the
// pieces of the step before. The rules are regular expressions in the models' own files (they stand as comments at the
// scanners and as patterns in the test, which compares both); here they are scanners over classified characters,
// because those are linear on any input and need no limits.
#pragma once

#include "text/unicode.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace vkinfer::text {

struct PretokenizerRule {
    using Chars = const ClassifiedChar*;
    /// Appends the lengths of the pieces of [begin, end), none of them empty.
    using Step = void (*)(Chars begin, Chars end, std::vector<uint32_t>& lengths);

    std::span<const Step> steps;
    bool ignore_merges = false; ///< a word that is a token is taken whole
    bool add_bos = false;       ///< default when the file does not say
    bool add_sep = false;       ///< default when the file does not say
    bool default_bos_id = true; ///< bos = eos = 11 when the file does not say
};

/// The rule for a value of `tokenizer.ggml.pre`; null for names nobody here knows.
const PretokenizerRule* find_pretokenizer(std::string_view name);

/// All names with a rule, for messages and tests.
std::vector<std::string_view> pretokenizer_names();

/// Replaces `lengths` by the lengths of all words in characters. `scratch` only saves allocations.
void split_words(const PretokenizerRule& rule, std::span<const ClassifiedChar> text, std::vector<uint32_t>& lengths,
                 std::vector<uint32_t>& scratch);

} // namespace vkinfer::text
