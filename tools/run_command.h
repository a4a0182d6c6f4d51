// `vkinfer run`: one prompt, one answer on standard output.
#pragma once

#include "tools/command.h"

namespace vkinfer::tools {

CommandBody add_run_command(CLI::App& app);

} // namespace vkinfer::tools
