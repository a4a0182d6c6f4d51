// The text side of a model file: its tokenizer and its chat template behind TextModel.
#pragma once

#include "base/log.h"
#include "format/gguf_file.h"
#include "runtime/engine.h"

#include <memory>
#include <string>

namespace vkinfer::runtime {

/// Copies what it needs out of the file. `template_override`: Jinja text in place of the file's; empty: the file's, or
/// ChatML without one. Throws Error for a tokenizer that cannot be used or an override that does not parse; a broken
/// template in the file is an error of apply_template() only, since other requests need none.
std::unique_ptr<TextModel> text_model_from_gguf(const format::GgufFile& file, const std::string& template_override,
                                                const Log& log);

} // namespace vkinfer::runtime
