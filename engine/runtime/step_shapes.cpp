#include "runtime/step_shapes.h"

#include <algorithm>
#include <bit>

namespace vkinfer::runtime {

StepShapes::StepShapes(const models::ModelConfig& config, const kernels::Policy& policy, const Limits& limits,
                       format::TensorType type_k, format::TensorType type_v)
    : heads_{.n_heads = config.n_heads,
             .n_kv_heads = config.n_kv_heads,
             .head_size = config.head_size,
             .value_size = config.value_size,
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

uint32_t StepShapes::tiles_per_token() const {
    const uint32_t rows = kernels::attention_decode_rows(heads_, policy_);
    return (group() + rows - 1) / rows;
}

models::StepShape StepShapes::shape_of(uint32_t n_tokens, uint32_t n_outputs) const {
    models::StepShape shape;
    shape.n_tokens = bucket(n_tokens, limits_.max_batch);
    shape.n_outputs = n_outputs == 0 ? 0 : bucket(n_outputs, std::min(shape.n_tokens, limits_.max_outputs));
    shape.folds_norms = policy_.folds_norms(shape.n_tokens);
    return shape;
}

void StepShapes::set_splits(models::StepShape& shape, uint32_t longest) const {
    // K/V is split so that a device is filled, eight waves a compute unit; a prefill fills it by itself. A split has
    // a page, or nothing where the pages are no power of two. Powers of two, so that a growing sequence meets few
    // shapes.
    uint32_t waves = heads_.n_kv_heads * shape.n_tiles;
    if (!shape.is_decode) { // waves whose rows no tile of the step can have leave at once
        const uint32_t rows = std::min(shape.rows_per_tile, shape.n_tokens * group());
        waves *= (kernels::attention_waves(heads_, shape.rows_per_tile, policy_) * rows + shape.rows_per_tile - 1) /
                 shape.rows_per_tile;
    }
    const uint32_t wanted = (policy_.compute_units * 8 + waves - 1) / waves;
    const uint32_t pages = std::max(1u, (longest + limits_.page_tokens - 1) / limits_.page_tokens);
    shape.n_splits = std::min({policy_.attention_max_splits, std::bit_ceil(wanted), std::bit_ceil(pages)});
}

models::StepShape StepShapes::shape_for(uint32_t n_tokens, uint32_t n_outputs, uint32_t n_tiles,
                                        uint32_t longest) const {
    models::StepShape shape = shape_of(n_tokens, n_outputs);
    shape.rows_per_tile = rows_per_tile(shape.n_tokens);
    shape.n_tiles = bucket(n_tiles, max_tiles(shape.n_tokens));
    set_splits(shape, longest);
    return shape;
}

models::StepShape StepShapes::decode_shape(uint32_t n_tokens, uint32_t n_outputs, uint32_t longest) const {
    models::StepShape shape = shape_of(n_tokens, n_outputs);
    shape.is_decode = true;
    shape.rows_per_tile = kernels::attention_decode_rows(heads_, policy_);
    shape.n_tiles = shape.n_tokens * tiles_per_token();
    set_splits(shape, longest);
    return shape;
}

std::vector<models::StepShape> StepShapes::largest() const {
    std::vector<models::StepShape> shapes;
    const auto add = [&](const models::StepShape& shape) {
        if (std::ranges::find(shapes, shape) == shapes.end()) shapes.push_back(shape);
    };
    constexpr uint32_t kAnyLength = 1u << 30;
    for (uint32_t n = 1;; n = std::min(2 * n, limits_.max_batch)) {
        const uint32_t n_outputs = std::min(n, limits_.max_outputs);
        if (n <= limits_.max_sequences) add(decode_shape(n, n_outputs, kAnyLength));
        const uint32_t n_tiles = max_tiles(n);
        for (uint32_t tiles = 1;; tiles = std::min(2 * tiles, n_tiles)) {
            const models::StepShape shape = shape_for(n, n_outputs, tiles, kAnyLength);
            // Without a split only the number of tokens counts.
            if (shape.n_splits > 1 || tiles == n_tiles) add(shape);
            if (tiles == n_tiles) break;
        }
        if (n == limits_.max_batch) break;
    }
    return shapes;
}

} // namespace vkinfer::runtime
