// GGUF tensors -> device memory: reads and uploads through a ring of two stages, repacks on the GPU.
#pragma once

#include "base/log.h"
#include "format/gguf_file.h"
#include "gpu/buffer.h"
#include "gpu/device.h"
#include "kernels/codebooks.h"
#include "kernels/pipeline_store.h"
#include "models/architecture.h"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace vkinfer::runtime {

struct LoadedWeights {
    std::vector<gpu::Buffer> buffers; ///< hold everything that `model` has addresses of
    kernels::Codebooks codebooks;     ///< of the types met
    models::LoadedModel model;
    uint64_t size_bytes = 0; ///< device memory in all
};

/// Throws Error that names the tensor: missing, of another shape, of a type without kernel, or no memory for it.
/// `progress` gets 0 .. 1.
LoadedWeights load_weights(gpu::Device& device, kernels::PipelineStore& pipelines, const format::GgufFile& file,
                           std::span<const models::TensorNeed> needs, const models::ModelConfig& config, const Log& log,
                           const std::function<void(float)>& progress);

} // namespace vkinfer::runtime
