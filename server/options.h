// The command line of vkinfer-server, in the flag names of llama.cpp's server.
#pragma once

#include "base/log.h"
#include "runtime/engine.h"
#include "server/server.h"

#include <expected>
#include <ostream>

namespace vkinfer::server {

/// What to do when the GPU was reset under a running server.
enum class OnDeviceLost : uint8_t { restart, exit };

struct Options {
    runtime::EngineOptions engine;
    ServerConfig server;
    LogLevel log_level = LogLevel::info;
    OnDeviceLost on_device_lost = OnDeviceLost::restart;
};

/// Options, or the exit status of a program that has nothing to do: after --help, --version (0) or a mistake (2),
/// about which `out` or `err` then say something. Throws Error for a file that cannot be read.
std::expected<Options, int> parse_options(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

} // namespace vkinfer::server
