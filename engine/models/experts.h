// The routed feed-forward part that the mixture-of-experts families share: router, experts, shared expert. What differs
// (scores, normalisation, biases, activation, how the file stores the matrices) is data of the file and of
// ExpertConfig.
#pragma once

#include "models/architecture.h"
#include "models/stream.h"

#include <vector>

namespace vkinfer::models {

/// Reads the keys of routed experts over a family's defaults (gating, activation, normalises, shared_is_gated);
/// n = 0 when the file has none. Throws Error that names key and value.
ExpertConfig read_experts(const format::GgufFile& file, const ModelConfig& config, const ExpertConfig& defaults);

/// The tensors of a routed layer. Throws Error for a file whose experts are stored in a way that is not known.
void expert_tensors(std::vector<TensorNeed>& needs, const ModelConfig& config, const format::GgufFile& file,
                    uint32_t layer);

/// x + weighted experts of n (+ shared expert of n); n: the normed rows, x: the residual, next_norm: address of the
/// weights of the norm after it where that is folded (kernels::NormedRows), else 0.
Stream build_experts(graph::Graph& graph, const BuildInput& input, uint32_t layer, graph::TensorId counts,
                     const Arrivals& arrivals, const NormedInput& n, graph::TensorId x, uint64_t next_norm);

} // namespace vkinfer::models
