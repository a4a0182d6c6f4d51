// gpt-oss: biases everywhere, one sink per head, every other layer with a sliding window (the first one has it), YaRN,
// and experts with a clamped activation whose weights are a softmax over the chosen logits.
#include "format/gguf_file.h"
#include "models/experts.h"
#include "models/families.h"

namespace vkinfer::models {

ModelConfig read_gpt_oss(const format::GgufFile& file) {
    ModelConfig config = read_config(file);
    config.rope.kind = kernels::RopeKind::neox;
    config.experts =
        read_experts(file, config,
                     {.gating = kernels::Gating::softmax_of_selected, .activation = kernels::Activation::clamped_silu});
    config.windows = read_windows(file, config, 2);
    return config;
}

} // namespace vkinfer::models
