// vkinfer-server but for the engine: main.cpp gives it a real one, the test program fake_server a scripted one.
#pragma once

#include "runtime/engine.h"

#include <functional>
#include <memory>

namespace vkinfer::server {

/// Loads a model; may take long and may throw Error.
using ModelLoader = std::function<std::shared_ptr<runtime::Generator>(const runtime::EngineOptions&, const Log&)>;

/// Parses the command line and serves until a signal; returns the exit status.
int run_program(int argc, const char* const* argv, const ModelLoader& load);

} // namespace vkinfer::server
