// The subcommands that work on files and streams alone, as rows of the table of subcommands.
#pragma once

#include "tools/command.h"

namespace vkinfer::tools {

CommandBody add_quantize_command(CLI::App& app);
CommandBody add_dequant_command(CLI::App& app);
CommandBody add_template_command(CLI::App& app);

} // namespace vkinfer::tools
