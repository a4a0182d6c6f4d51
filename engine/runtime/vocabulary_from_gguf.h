// The tokenizer data of a GGUF file as the plain struct that engine/text works with.
#pragma once

#include "base/log.h"
#include "format/gguf_file.h"
#include "text/vocabulary.h"

namespace vkinfer::runtime {

/// Throws Error when the file has no tokenizer, or one of a kind that is not supported. Special ids beyond the
/// vocabulary, which real files contain, are dropped with a warning.
text::Vocabulary vocabulary_from_gguf(const format::GgufFile& file, Log log = {});

} // namespace vkinfer::runtime
