// Sampling on the device: the plans that follow a step's logits, and what they read of the requests.
#pragma once

#include "gpu/buffer.h"
#include "gpu/device.h"
#include "graph/executor.h"
#include "graph/step_layout.h"
#include "runtime/model_runner.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

namespace vkinfer::runtime {

/// The graph that samples n_rows rows of logits.
graph::Graph sampling_graph(uint32_t n_rows, uint32_t n_vocab, const graph::StepLayout& layout);

class DeviceSampler {
public:
    /// `step`: the mapped step buffer. `logits`: rows of n_vocab. With `timestamps` plans are timed.
    DeviceSampler(gpu::Device& device, kernels::PipelineStore& pipelines, const kernels::Policy& policy,
                  const graph::StepLayout& layout, const gpu::Buffer& step, const gpu::Buffer& logits, uint32_t n_vocab,
                  bool timestamps = false);

    void set_end_tokens(std::span<const Token> tokens);

    /// Whether all rows are within what the device does.
    bool suits(std::span<const SampledRow> rows) const;
    /// Writes what the shaders read of the rows, for n_steps steps of which each row has tiles_per_row tiles.
    void write(std::span<const SampledRow> rows, uint32_t n_steps, uint32_t tiles_per_row);
    /// The plan for up to n_rows rows, over this arena. Valid until forget_plans().
    graph::RecordedPlan& plan(uint32_t n_rows, const gpu::Buffer& arena);
    void forget_plans() { plans_.clear(); }
    /// What was chosen, (n_steps, n_rows); valid until the next call.
    std::span<const Token> results(uint32_t n_rows, uint32_t n_steps);

private:
    template<class T>
    T* place(uint64_t offset) const {
        return reinterpret_cast<T*>(step_.mapped() + offset);
    }

    gpu::Device& device_;
    kernels::PipelineStore& pipelines_;
    const kernels::Policy& policy_;
    const graph::StepLayout& layout_;
    const gpu::Buffer& step_;
    const gpu::Buffer& logits_;
    uint32_t n_vocab_;
    bool timestamps_;
    bool has_room_for_ends_ = true;
    std::map<uint32_t, std::unique_ptr<graph::RecordedPlan>> plans_; ///< by rows, in powers of two
    std::vector<Token> results_;
};

} // namespace vkinfer::runtime
