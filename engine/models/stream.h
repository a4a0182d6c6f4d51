// What flows through the layers of a decoder: the residual stream, the rows that products read after a norm, and the
// counters by which workgroups know who is last.
#pragma once

#include "graph/graph.h"

#include <cstdint>
#include <optional>

namespace vkinfer::models {

/// Rows of a layer's width, with what the op that made them wrote for the norm after them, if it did.
struct Stream {
    graph::TensorId x = 0;
    std::optional<graph::TensorId> normed; ///< kernels::NormedRows
};

/// Counters of finished workgroups or waves, zero when the step begins and again behind each dispatch that counts:
/// those of split attention, and behind them the router's.
struct Arrivals {
    graph::TensorId tensor = 0;
    uint32_t n_attention = 0;
    uint32_t n = 0;
};

/// What products read after a norm: rows that a norm has made, or NormedRows, which the products finish themselves.
struct NormedInput {
    graph::TensorId rows = 0;
    bool is_folded = false;
    float eps = 0;

    void apply(kernels::Linear& op) const {
        op.x_is_normed = is_folded;
        op.eps = eps;
    }
};

} // namespace vkinfer::models
