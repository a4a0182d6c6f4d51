// `vkinfer devices`: what --device can name.
#pragma once

#include "tools/command.h"

#include <string>

namespace vkinfer::tools {

CommandBody add_devices_command(CLI::App& app);

/// The list that llama-bench prints for --list-devices.
std::string device_list_text();

} // namespace vkinfer::tools
