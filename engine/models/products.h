// Products of a step with the matrices of a layer, for the builders of decoders and of experts. Files keep matrices
// that read the same rows (Q, K and V; gate and up) in one type or in several: here one finds out what they share.
#pragma once

#include "models/architecture.h"
#include "models/stream.h"

#include <cstdint>
#include <span>
#include <string>

namespace vkinfer::models {

class Products {
public:
    Products(graph::Graph& graph, const LoadedModel& weights, const StepShape& shape, graph::TensorId counts)
        : g_(graph), w_(weights), shape_(shape), counts_(counts) {}

    /// y[t] = W x[t] for every token, y in rows of y_stride.
    kernels::Linear linear(const kernels::Weight& weight, uint32_t n_out, uint32_t y_stride) const;
    /// The same of rows behind a norm.
    kernels::Linear linear(const kernels::Weight& weight, uint32_t n_out, uint32_t y_stride,
                           const NormedInput& n) const;

    /// Matrices that stand one above the other.
    struct Stack {
        std::string name;  ///< of the product
        std::string whole; ///< key of one matrix that is all of them
        std::span<const std::string>
            parts;          ///< else keys of each, of which need_matrices() puts some with the one before
        uint32_t width = 0; ///< rows of all
        uint64_t bias = 0;  ///< device address of so many floats, or 0
    };
    /// y[t] = (W_0 over W_1 ...) n[t] (+ bias), y in rows of the width.
    void add_stack(const Stack& stack, const NormedInput& n, graph::TensorId y) const;

    struct Gated {
        std::string name;            ///< of the product
        std::string swiglu;          ///< of the activation where it is an op
        std::string whole, gate, up; ///< keys of both matrices in one, and of each
        uint32_t width = 0;
        uint64_t gate_bias = 0, up_bias = 0; ///< device addresses, or 0
    };
    /// hidden[t] = silu(gate n[t]) * up n[t], in rows of the width.
    void add_gated(const Gated& gated, const NormedInput& n, graph::TensorId hidden) const;

private:
    graph::Graph& g_;
    const LoadedModel& w_;
    const StepShape& shape_;
    const graph::TensorId counts_;
};

} // namespace vkinfer::models
