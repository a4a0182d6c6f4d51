// Qwen2 and 2.5: llama's layer with biases on Q, K and V and rotary pairs (i, i + n_rot / 2). K's biases are large, so
// scores are summed in f32 like everywhere here.
#include "models/families.h"

namespace vkinfer::models {

ModelConfig read_qwen2(const format::GgufFile& file) {
    ModelConfig config = read_config(file);
    config.rope.kind = kernels::RopeKind::neox;
    return config;
}

} // namespace vkinfer::models
