// `vkinfer shaders`: what the driver's compiler made of every pipeline that a model uses.
#pragma once

#include "tools/command.h"

namespace vkinfer::tools {

CommandBody add_shaders_command(CLI::App& app);

} // namespace vkinfer::tools
