// `vkinfer perplexity`: how well a model predicts a text, and how far weights or cache types move its predictions.
#pragma once

#include "tools/command.h"

namespace vkinfer::tools {

CommandBody add_perplexity_command(CLI::App& app);

} // namespace vkinfer::tools
