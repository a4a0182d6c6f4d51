// GGUF tensors -> device memory: several threads read file pages around the page cache into a ring of mapped memory,
// and the GPU repacks each slot to its place. On a discrete card a queue of its own first copies the slot into the
// card's memory, in large bursts over PCIe, while other slots are read and repacked. Nothing of the model is in memory
// twice but the ring.
#pragma once

#include "format/gguf_file.h"
#include "gpu/buffer.h"
#include "gpu/device.h"
#include "kernels/codebooks.h"
#include "kernels/pipeline_store.h"
#include "models/architecture.h"
#include "runtime/load_progress.h"
#include "runtime/weight_plan.h"

#include <span>

namespace vkinfer::runtime {

struct LoadedWeights {
    kernels::Codebooks codebooks; ///< of the types met
    models::LoadedModel model;    ///< addresses in the memory that was given
};

/// Memory that only loading uses, in kRingSlots slots.
struct LoadingRing {
    const gpu::Buffer& ring;  ///< mapped
    const gpu::Buffer& stage; ///< as large, in device memory; empty: kernels read the ring itself
};

/// Fills `places`, one per item of the plan. Throws Error that names
/// the tensor, and what `progress` throws.
LoadedWeights load_weights(gpu::Device& device, kernels::PipelineStore& pipelines, const format::GgufFile& file,
                           const WeightPlan& plan, const models::ModelConfig& config,
                           std::span<const gpu::BufferRange> places, const LoadingRing& memory,
                           const LoadCallback& progress);

} // namespace vkinfer::runtime
