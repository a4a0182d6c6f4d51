// `vkinfer logits`: the logits of every position of given token lists, for comparisons with other engines.
#pragma once

#include "runtime/model_runner.h"
#include "tools/command.h"

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace vkinfer::tools {

CommandBody add_logits_command(CLI::App& app);

/// Evaluates the lists as sequences 0, 1, ... and calls `on_row(list, logits)` for every position in order. Chunks of
/// `chunk` tokens of each list in turn share batches (0: as many as a batch holds). Throws Error.
void evaluate_lists(runtime::ModelRunner& runner, std::span<const std::vector<runtime::Token>> lists, int32_t chunk,
                    const std::function<void(size_t list, std::span<const float> logits)>& on_row);

/// A JSON array of token ids. Throws Error that names `source`.
std::vector<runtime::Token> parse_tokens(const std::string& json, const std::string& source);

} // namespace vkinfer::tools
