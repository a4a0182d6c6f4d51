// What the driver's compiler says about a pipeline. Values keep the driver's names; the fields that tests and reports
// need are parsed out of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::gpu {

struct PipelineStatistic {
    std::string name;
    std::string description;
    double value = 0;
};

/// One text of the compiler: an IR stage or the final assembly.
struct PipelineText {
    std::string name;
    std::string text;
};

struct PipelineStats {
    std::string pipeline_name;
    uint32_t subgroup_size = 0;
    std::vector<PipelineStatistic> statistics; ///< all of them, in the driver's order
    std::vector<PipelineText> texts;           ///< internal representations, the assembly among them

    // Parsed; nothing where the driver does not say.
    std::optional<uint32_t> vgprs;
    std::optional<uint32_t> sgprs;
    std::optional<uint32_t> spilled_vgprs;
    std::optional<uint32_t> spilled_sgprs;
    std::optional<uint32_t> scratch_bytes;
    std::optional<uint32_t> lds_bytes;
    std::optional<uint32_t> subgroups_per_simd; ///< occupancy; RADV counts in wave32 equivalents
    std::optional<uint32_t> code_bytes;
    std::optional<uint32_t> instructions;

    /// The value of the statistic with this name, if there is one.
    std::optional<double> find(std::string_view name) const;
    /// The final assembly; empty when it was not captured.
    std::string_view isa() const;
    /// How many lines of the assembly have an instruction that starts with `mnemonic`: "v_wmma", "v_dot4".
    uint32_t count_instructions(std::string_view mnemonic) const;
};

/// Fills the parsed fields from `statistics`.
void parse_statistics(PipelineStats& stats);

} // namespace vkinfer::gpu
