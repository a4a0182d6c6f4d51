#include "gpu/pipeline_stats.h"

#include <cmath>

namespace vkinfer::gpu {

std::optional<double> PipelineStats::find(std::string_view name) const {
    for (const PipelineStatistic& statistic : statistics) {
        if (statistic.name == name) return statistic.value;
    }
    return std::nullopt;
}

std::string_view PipelineStats::isa() const {
    // RADV: "NIR Shader(s)", "ACO IR", "Assembly"; the assembly is the last stage everywhere we looked.
    for (auto text = texts.rbegin(); text != texts.rend(); ++text) {
        if (text->name.find("ssembly") != std::string::npos || text->name.find("ISA") != std::string::npos) {
            return text->text;
        }
    }
    return {};
}

uint32_t PipelineStats::count_instructions(std::string_view mnemonic) const {
    uint32_t count = 0;
    std::string_view rest = isa();
    while (!rest.empty()) {
        const size_t end = rest.find('\n');
        std::string_view line = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
        const size_t start = line.find_first_not_of(" \t");
        if (start == std::string_view::npos) continue;
        line.remove_prefix(start);
        if (line.starts_with(mnemonic)) ++count;
        // The second half of a dual-issue instruction stands on the same line after "::".
        const size_t second = line.find(":: ");
        if (second != std::string_view::npos && line.substr(second + 3).starts_with(mnemonic)) ++count;
    }
    return count;
}

void parse_statistics(PipelineStats& stats) {
    const auto get = [&](std::string_view name) -> std::optional<uint32_t> {
        const auto value = stats.find(name);
        if (!value || *value < 0) return std::nullopt;
        return static_cast<uint32_t>(std::lround(*value));
    };
    stats.vgprs = get("VGPRs");
    stats.sgprs = get("SGPRs");
    stats.spilled_vgprs = get("Spilled VGPRs");
    stats.spilled_sgprs = get("Spilled SGPRs");
    stats.scratch_bytes = get("Scratch size");
    stats.lds_bytes = get("LDS size");
    stats.subgroups_per_simd = get("Subgroups per SIMD");
    stats.code_bytes = get("Code size");
    stats.instructions = get("Instructions");
}

} // namespace vkinfer::gpu
