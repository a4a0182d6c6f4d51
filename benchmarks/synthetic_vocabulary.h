// A byte-level BPE vocabulary of any size, so that synthetic models take and give text.
#pragma once

#include "format/gguf_writer.h"

#include <cstdint>

namespace vkinfer::benchmarks {

/// 256 bytes and the control tokens.
inline constexpr uint32_t kSmallestVocabulary = 260;

/// Sets the tokenizer.* keys: tokens 0 ... 255 are the bytes, then come merges, shortest and most frequent letters
/// first, and at the end the control tokens of a ChatML template.
void write_synthetic_vocabulary(format::GgufWriter& writer, uint32_t n_vocab);

} // namespace vkinfer::benchmarks
