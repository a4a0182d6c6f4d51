// GLM-4.5 and 4.5-Air: rotary pairs over half of a head, first layers dense, then a sigmoid router with a bias for the
// selection, and an ungated shared expert. The blocks at the end that predict further tokens are left out.
#include "base/error.h"
#include "format/gguf_file.h"
#include "models/experts.h"
#include "models/families.h"

#include <format>

namespace vkinfer::models {

ModelConfig read_glm4moe(const format::GgufFile& file) {
    ModelConfig config = read_config(file);
    config.rope.kind = kernels::RopeKind::neox;
    config.experts = read_experts(file, config, {.gating = kernels::Gating::sigmoid});
    const uint32_t n_predict = file.get_or<uint32_t>("glm4moe.nextn_predict_layers", 0);
    if (n_predict >= config.n_layers) {
        throw Error(ErrorKind::invalid_input, std::format("{}: glm4moe.nextn_predict_layers is {} of {} blocks.",
                                                          file.name(), n_predict, config.n_layers));
    }
    config.n_layers -= n_predict;
    return config;
}

} // namespace vkinfer::models
