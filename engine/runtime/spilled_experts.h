// Experts that the memory plan put into host memory: each matrix of them becomes two, and the kernels are told which
// expert is in which (shaders/include/expert_home.glsl).
#pragma once

#include "gpu/buffer.h"
#include "gpu/device.h"
#include "memory/planner.h"
#include "models/architecture.h"
#include "runtime/weight_plan.h"

#include <optional>
#include <span>
#include <vector>

namespace vkinfer::runtime {

struct SplitWeights {
    struct Place {
        size_t request = 0;
        std::optional<size_t> split; ///< its far part, by index
    };
    WeightPlan weights;        ///< spilled experts are items of their own, named with ".far"
    std::vector<Place> places; ///< one per item
};

/// The plan of the weights as they are loaded; `splits` in the order of their requests, which are those of the items.
SplitWeights split_experts(const WeightPlan& plan, std::span<const memory::Split> splits);

/// Places of experts and addresses of the far ones for the kernels, entered into the model. Has to live as long as it.
gpu::Buffer make_expert_homes(gpu::Device& device, const WeightPlan& plan, std::span<const memory::Split> splits,
                              models::LoadedModel& model);

} // namespace vkinfer::runtime
