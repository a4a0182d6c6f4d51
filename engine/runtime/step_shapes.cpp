#include "runtime/step_shapes.h"

#include <algorithm>
#include <bit>

namespace vkinfer::runtime {

StepShapes::StepShapes(const models::ModelConfig& config, const kernels::Policy& policy, const Limits& limits,
                       format::TensorType type_k, format::TensorType type_v)
    : heads_{.n_heads = config.n_heads,
             .n_kv_heads = config.n_kv_heads,
             .head_size = config.head_size,
             .type_k = type_k,
             .type_v = type_v},
      policy_(policy), limits_(limits) {}

uint32_t StepShapes::bucket(uint32_t n, uint32_t largest) {
    return std::min(std::bit_ceil(n), largest);
}

uint32_t StepShapes::rows_per_tile(uint32_t n_tokens) const {
    return kernels::attention_rows(heads_, n_tokens, policy_);
}

uint32_t StepShapes::max_tiles(uint32_t n_tokens) const {
    const uint32_t rows = rows_per_tile(n_tokens);
    const uint32_t chunks = std::min(n_tokens, limits_.max_sequences);
    return (n_tokens * group()) / rows + chunks * ((group() + rows - 1) / rows);
}

uint32_t StepShapes::max_tiles() const {
    uint32_t most = 0;
    for (uint32_t n = 1; n <= limits_.max_batch; ++n) most = std::max(most, max_tiles(n));
    return most;
}

models::StepShape StepShapes::shape_for(uint32_t n_tokens, uint32_t n_outputs, uint32_t n_tiles) const {
    models::StepShape shape;
    shape.n_tokens = bucket(n_tokens, limits_.max_batch);
    shape.n_outputs = n_outputs == 0 ? 0 : bucket(n_outputs, std::min(shape.n_tokens, limits_.max_outputs));
    shape.rows_per_tile = rows_per_tile(shape.n_tokens);
    shape.n_tiles = bucket(n_tiles, max_tiles(shape.n_tokens));
    // Split K/V so that a device is filled; a prefill fills it by itself.
    const uint32_t groups = heads_.n_kv_heads * shape.n_tiles;
    const uint32_t wanted = policy_.compute_units * 4;
    shape.n_splits = groups >= wanted ? 1 : std::min(policy_.attention_splits_decode, (wanted + groups - 1) / groups);
    return shape;
}

std::vector<models::StepShape> StepShapes::largest() const {
    std::vector<models::StepShape> shapes;
    for (uint32_t n = 1;; n = std::min(2 * n, limits_.max_batch)) {
        const uint32_t n_tiles = max_tiles(n);
        for (uint32_t tiles = 1;; tiles = std::min(2 * tiles, n_tiles)) {
            const models::StepShape shape = shape_for(n, std::min(n, limits_.max_outputs), tiles);
            // Without a split only the number of tokens counts.
            if ((shape.n_splits > 1 || tiles == n_tiles) && (shapes.empty() || shapes.back() != shape)) {
                shapes.push_back(shape);
            }
            if (tiles == n_tiles) break;
        }
        if (n == limits_.max_batch) break;
    }
    return shapes;
}

} // namespace vkinfer::runtime
