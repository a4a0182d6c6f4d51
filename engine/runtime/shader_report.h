// What the driver made of every pipeline of a model: registers, spills, occupancy, matrix and dot instructions.
#pragma once

#include "runtime/vulkan_runner.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vkinfer::runtime {

struct ShaderReportRow {
    std::string pipeline;    ///< shader variant and specialisation constants
    std::string shader;      ///< variant alone
    bool is_coopmat = false; ///< the kernel is written with cooperative matrices
    uint32_t subgroup_size = 0;
    uint32_t vgprs = 0;
    uint32_t spills = 0; ///< vector and scalar registers
    uint32_t scratch_bytes = 0;
    uint32_t lds_bytes = 0;
    uint32_t occupancy = 0; ///< subgroups per SIMD as the driver counts them; 0: it does not say
    uint32_t instructions = 0;
    uint32_t wmma = 0; ///< matrix instructions in the code
    uint32_t dot4 = 0; ///< packed int8 dot products
    double compile_ms = 0;
    std::string isa; ///< the assembly, where the driver shows it
};

/// Compiles the plans of all shapes of step and reports every pipeline. The runner must have been made with
/// capture_statistics; throws Error{unsupported} where the driver has none.
std::vector<ShaderReportRow> report_shaders(VulkanRunner& runner);

} // namespace vkinfer::runtime
