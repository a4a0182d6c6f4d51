// Qwen3 dense: no biases, an RMS norm per head on Q and K before the rotation, pairs (i, i + n_rot / 2); heads are
// often wider than n_embd / n_head.
#include "models/families.h"

namespace vkinfer::models {

ModelConfig read_qwen3(const format::GgufFile& file) {
    ModelConfig config = read_config(file);
    config.rope.kind = kernels::RopeKind::neox;
    return config;
}

} // namespace vkinfer::models
