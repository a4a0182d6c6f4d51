// `vkinfer doctor`: what is known of every device, and what its user could change.
#pragma once

#include "memory/advice.h"
#include "tools/command.h"

#include <span>
#include <string>

namespace vkinfer::tools {

CommandBody add_doctor_command(CLI::App& app);

std::string findings_text(std::span<const memory::Finding> findings);

} // namespace vkinfer::tools
