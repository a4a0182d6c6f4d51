#include "graph/graph.h"

#include "base/error.h"

namespace vkinfer::graph {

TensorId Graph::external(std::string name, uint64_t size_bytes) {
    tensors_.push_back({std::move(name), size_bytes, true});
    return static_cast<TensorId>(tensors_.size() - 1);
}

TensorId Graph::activation(std::string name, uint64_t size_bytes) {
    tensors_.push_back({std::move(name), size_bytes, false});
    return static_cast<TensorId>(tensors_.size() - 1);
}

void Graph::add(std::string label, kernels::Op op, std::vector<TensorId> operands,
                std::optional<std::pair<uint32_t, uint32_t>> in_place) {
    VKINFER_ASSERT(operands.size() == kernels::n_operands(op));
    for (const TensorId id : operands) VKINFER_ASSERT(id < tensors_.size());
    nodes_.push_back({std::move(label), std::move(op), std::move(operands), in_place});
}

} // namespace vkinfer::graph
