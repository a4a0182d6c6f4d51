// The dense decoder that llama, qwen2 and qwen3 share: what differs (biases, norms per head, rotary pairs, tied head)
// is data of the file and of ModelConfig.
#pragma once

#include "models/architecture.h"

namespace vkinfer::models {

std::vector<TensorNeed> decoder_tensors(const ModelConfig& config, const format::GgufFile& file);
graph::Graph build_decoder(const BuildInput& input);

} // namespace vkinfer::models
