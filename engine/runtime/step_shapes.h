// Which shapes of steps plans are made for. Pure arithmetic, shared by the runner and by the memory planner, which has
// to know the largest arena before any plan is made.
#pragma once

#include "kernels/ops.h"
#include "kernels/policy.h"
#include "models/architecture.h"
#include "models/config.h"

#include <cstdint>
#include <vector>

namespace vkinfer::runtime {

class StepShapes {
public:
    struct Limits {
        uint32_t max_batch = 1;
        uint32_t max_outputs = 1;
        uint32_t max_sequences = 1;
        uint32_t page_tokens = 64;
    };
    StepShapes(const models::ModelConfig& config, const kernels::Policy& policy, const Limits& limits,
               format::TensorType type_k, format::TensorType type_v);

    /// Query heads per K/V head.
    uint32_t group() const { return heads_.n_heads / heads_.n_kv_heads; }
    /// Powers of two up to the largest, so that a step wastes at most half of its columns.
    static uint32_t bucket(uint32_t n, uint32_t largest);
    /// Query rows of an attention tile, unless the step is a decode_shape().
    uint32_t rows_per_tile(uint32_t n_tokens) const;
    /// Most tiles that n_tokens can need, however they spread over sequences.
    uint32_t max_tiles(uint32_t n_tokens) const;
    /// The same over all numbers of tokens.
    uint32_t max_tiles() const;
    /// `longest`: keys of the longest sequence, which bound the splits worth making.
    models::StepShape shape_for(uint32_t n_tokens, uint32_t n_outputs, uint32_t n_tiles, uint32_t longest) const;
    /// Of a step with one token of each sequence.
    models::StepShape decode_shape(uint32_t n_tokens, uint32_t n_outputs, uint32_t longest) const;
    /// Shapes among which the one with the largest arena is: every number of tokens and of tiles, with all outputs.
    std::vector<models::StepShape> largest() const;

private:
    models::StepShape shape_of(uint32_t n_tokens, uint32_t n_outputs) const;
    void set_splits(models::StepShape& shape, uint32_t longest) const;
    /// Tiles of a token alone, in a decode_shape().
    uint32_t tiles_per_token() const;

    kernels::AttentionShape heads_; ///< without pools
    kernels::Policy policy_;
    Limits limits_;
};

} // namespace vkinfer::runtime
