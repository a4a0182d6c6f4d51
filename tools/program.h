// What main() of a program does around its commands: version, help, errors and exit status.
#pragma once

#include "tools/command.h"

#include <functional>
#include <span>
#include <string>

namespace vkinfer::tools {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1; ///< an Error
inline constexpr int kExitUsage = 2;  ///< arguments that cannot be parsed

/// A program with subcommands.
int run_program(const std::string& description, const std::string& name, std::span<const Command> commands, int argc,
                const char* const* argv);

/// A program without subcommands.
int run_program(const std::string& description, const std::string& name, CommandSetup setup, int argc,
                const char* const* argv);

} // namespace vkinfer::tools
