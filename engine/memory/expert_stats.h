// How often each expert of a model was chosen, as a file: `vkinfer logits --stats-out` writes it, the planner spills
// what is chosen least.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace vkinfer::memory {

struct ExpertStats {
    uint32_t n_experts = 0;       ///< of a layer
    uint32_t n_used = 0;          ///< choices of a token
    std::vector<uint32_t> counts; ///< [layer * n_experts + expert]

    size_t n_layers() const { return n_experts == 0 ? 0 : counts.size() / n_experts; }
    /// Share of the tokens that chose each; that of even choices in layers without any.
    std::vector<float> shares() const;
    std::string json() const;
};

/// Throws Error that names the file and the field.
ExpertStats read_expert_stats(const std::filesystem::path& path);

} // namespace vkinfer::memory
