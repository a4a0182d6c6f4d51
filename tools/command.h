// A subcommand of `vkinfer`: it declares its options and returns what runs once they are parsed.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace vkinfer::tools {

/// Runs a subcommand after its options were parsed; the result is the exit status. Throws Error for what the user has
/// to know; main prints it with its hint and exits with 1.
using CommandBody = std::function<int()>;

/// Declares the options of a subcommand on `app`. Variables that options point to live in what the body captures
/// (std::make_shared).
using CommandSetup = CommandBody (*)(CLI::App& app);

struct Command {
    const char* name;
    const char* help;
    CommandSetup setup;
};

} // namespace vkinfer::tools
