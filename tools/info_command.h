// `vkinfer info`: what a model file holds, and what it needs; only the header is read, no GPU is used.
#pragma once

#include "runtime/model_summary.h"
#include "tools/command.h"

#include <string>

namespace vkinfer::tools {

CommandBody add_info_command(CLI::App& app);

std::string info_text(const runtime::ModelSummary& summary, const runtime::MemoryCase& memory);
std::string info_json(const runtime::ModelSummary& summary, const runtime::MemoryCase& memory);

/// A tensor type by its name; throws Error that names the option.
format::TensorType parse_tensor_type(const std::string& option, const std::string& name);

} // namespace vkinfer::tools
