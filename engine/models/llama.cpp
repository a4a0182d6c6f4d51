// Llama 2 and 3, Mistral up to Small 3: RMS norm, grouped heads, rotary pairs (2i, 2i + 1), gated silu MLP. Llama 3's
// frequency scaling stands in the file as rope_freqs.weight. With experts it is Mixtral.
#include "format/gguf_file.h"
#include "models/experts.h"
#include "models/families.h"

namespace vkinfer::models {

ModelConfig read_llama(const format::GgufFile& file) {
    ModelConfig config = read_config(file);
    config.rope.kind = kernels::RopeKind::norm;
    // Mixtral is a llama with experts; its weights sum to 1 whether the file says so or not.
    config.experts = read_experts(file, config, {.normalises = true});
    return config;
}

} // namespace vkinfer::models
