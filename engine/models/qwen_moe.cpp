// Qwen's mixtures of experts. qwen3moe: the attention of qwen3, chosen weights always sum to 1. qwen2moe: the attention
// of qwen2, weights as the softmax gives them, and a shared expert with a gate of its own.
#include "format/gguf_file.h"
#include "models/experts.h"
#include "models/families.h"

namespace vkinfer::models {

ModelConfig read_qwen3moe(const format::GgufFile& file) {
    ModelConfig config = read_config(file);
    config.rope.kind = kernels::RopeKind::neox;
    config.experts = read_experts(file, config, {.normalises = true});
    return config;
}

ModelConfig read_qwen2moe(const format::GgufFile& file) {
    ModelConfig config = read_config(file);
    config.rope.kind = kernels::RopeKind::neox;
    config.experts = read_experts(file, config, {.shared_is_gated = true});
    return config;
}

} // namespace vkinfer::models
