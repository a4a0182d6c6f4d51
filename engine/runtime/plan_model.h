// A memory plan without a device: from options, the header of a model file, and a device profile.
#pragma once

#include "memory/profile.h"
#include "runtime/engine.h"
#include "runtime/model_memory.h"

namespace vkinfer::runtime {

struct PlannedModel {
    ModelMemory model;
    MemoryWish wish;
    MemoryDecision decision;
};

/// What a runner with these options would do on that device. Models that cannot run in this version are estimated.
/// Throws Error as loading would.
PlannedModel plan_model(const EngineOptions& options, const memory::DeviceProfile& profile);

} // namespace vkinfer::runtime
