// Llama 2 and 3, Mistral up to Small 3: RMS norm, grouped heads, rotary pairs (2i, 2i + 1), gated silu MLP. Llama 3's
// frequency scaling stands in the file as rope_freqs.weight.
#include "base/error.h"
#include "format/gguf_file.h"
#include "models/families.h"

#include <format>

namespace vkinfer::models {

ModelConfig read_llama(const format::GgufFile& file) {
    ModelConfig config = read_config(file);
    config.rope.kind = kernels::RopeKind::norm;
    if (file.get_or<uint32_t>("llama.expert_count", 0) != 0) {
        throw Error(ErrorKind::unsupported, std::format("{}: is a mixture of experts.", file.name()),
                    "This version runs dense llama models.");
    }
    return config;
}

} // namespace vkinfer::models
