// The graph of one step: ops in order, tensors between them. Models build it, compile() turns it into a Plan.
#pragma once

#include "kernels/ops.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vkinfer::graph {

using TensorId = uint32_t;

/// Memory an op reads or writes. Activations live in the arena of a plan; externals are bound when it is recorded.
struct Tensor {
    std::string name;
    uint64_t size_bytes = 0;
    bool is_external = false;
};

struct Node {
    std::string label; ///< "blk.3.attn_out": for profiles, hazards and errors
    kernels::Op op;
    std::vector<TensorId> operands; ///< in the order that the op's comment in kernels/ops.h gives
    /// Operands (input, output) that may share memory because every element is read by the invocation that writes it.
    std::optional<std::pair<uint32_t, uint32_t>> in_place;
};

class Graph {
public:
    /// Memory given from outside: step buffers, logits, KV pools.
    TensorId external(std::string name, uint64_t size_bytes);
    /// A tensor that lives between the first op that writes it and the last that reads it.
    TensorId activation(std::string name, uint64_t size_bytes);

    void add(std::string label, kernels::Op op, std::vector<TensorId> operands,
             std::optional<std::pair<uint32_t, uint32_t>> in_place = std::nullopt);

    const std::vector<Tensor>& tensors() const { return tensors_; }
    const std::vector<Node>& nodes() const { return nodes_; }

private:
    std::vector<Tensor> tensors_;
    std::vector<Node> nodes_;
};

} // namespace vkinfer::graph
