// `vkinfer shaders --emulate`: the plans of a model on an emulated AMD GPU, with counts and a model of clocks for every
// kernel. The emulation is no part of this program: the rig of tests/rdna is preloaded, and asked for its numbers.
#pragma once

#include "runtime/engine.h"

#include <string>

namespace vkinfer::tools {

struct EmulationOptions {
    std::string chip; ///< "gfx1201", "navi31", "strix1"
    std::string rig;  ///< path of libvkinfer_rdna.so; empty: beside this program or in its build directory
    int32_t n_prompt = 16;
    int32_t n_gen = 4;
    int32_t n_sampled_groups = 0; ///< that are run of a dispatch, counts are scaled; 0: all
    std::string product;          ///< that the chip is taken for; empty: the first in the model's table
    bool is_json = false;
};

/// Prints the report; restarts the program with the rig preloaded when it runs without. Throws Error.
int emulate(const runtime::EngineOptions& engine, const EmulationOptions& options);

} // namespace vkinfer::tools
