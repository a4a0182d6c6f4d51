// From the options of programs, which are texts, to those of the runner.
#pragma once

#include "runtime/engine.h"
#include "runtime/vulkan_runner.h"

namespace vkinfer::runtime {

/// Throws Error that names the option. `max_logits`: 0 for one row per sequence.
RunnerOptions runner_options(const EngineOptions& options, int32_t max_logits);

} // namespace vkinfer::runtime
