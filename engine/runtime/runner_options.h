// From the options of programs, which are texts, to those of the runner.
#pragma once

#include "kernels/policy.h"
#include "runtime/engine.h"
#include "runtime/model_memory.h"
#include "runtime/vulkan_runner.h"

namespace vkinfer::runtime {

/// Throws Error that names the option. `max_logits`: 0 for one row per sequence.
RunnerOptions runner_options(const EngineOptions& options, int32_t max_logits);

/// Throw Error{invalid_input} for what is out of range or has no meaning.
kernels::PolicyOptions policy_options(const RunnerOptions& options);
MemoryWish memory_wish(const RunnerOptions& options);

} // namespace vkinfer::runtime
