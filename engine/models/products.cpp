#include "models/products.h"

#include <algorithm>
#include <array>
#include <vector>

namespace vkinfer::models {

kernels::Linear Products::linear(const kernels::Weight& weight, uint32_t n_out, uint32_t y_stride) const {
    return {.weight = weight,
            .n_out = n_out,
            .n_columns = shape_.n_tokens,
            .x_stride = weight.n_cols,
            .y_stride = y_stride};
}

kernels::Linear Products::linear(const kernels::Weight& weight, uint32_t n_out, uint32_t y_stride,
                                 const NormedInput& n) const {
    kernels::Linear op = linear(weight, n_out, y_stride);
    n.apply(op);
    return op;
}

void Products::add_stack(const Stack& stack, const NormedInput& n, graph::TensorId y) const {
    struct Part {
        std::string name;
        kernels::Weight weight;
    };
    std::vector<Part> parts;
    if (const kernels::Weight whole = w_.matrix(stack.whole)) {
        parts.push_back({stack.name, whole});
    } else {
        for (const std::string& name : stack.parts) {
            if (const kernels::Weight weight = w_.matrix(name)) parts.push_back({name, weight});
        }
    }
    const bool has_factors = std::ranges::any_of(parts, [](const Part& part) { return part.weight.row_scales != 0; });
    // Few tokens: one dispatch. Many are worth kernels of their own for each type.
    if (parts.size() > 1 && shape_.folds_norms && !has_factors) {
        kernels::Linear op = linear(parts[0].weight, stack.width, stack.width, n);
        op.bias = stack.bias;
        for (size_t i = 1; i < parts.size(); ++i) op.below.at(i - 1) = parts[i].weight;
        g_.add(stack.name, op, {counts_, n.rows, y, y});
        return;
    }
    uint32_t offset = 0;
    for (const Part& part : parts) {
        kernels::Linear op = linear(part.weight, part.weight.n_rows, stack.width, n);
        op.y_offset = offset;
        op.bias = stack.bias == 0 ? 0 : stack.bias + uint64_t{4} * offset;
        g_.add(part.name, op, {counts_, n.rows, y, y});
        offset += part.weight.n_rows;
    }
}

void Products::add_gated(const Gated& gated, const NormedInput& n, graph::TensorId hidden) const {
    const uint32_t width = gated.width;
    const kernels::Weight whole = w_.matrix(gated.whole);
    const bool has_bias = gated.gate_bias != 0 || gated.up_bias != 0;
    if (whole && whole.row_scales == 0 && !has_bias) {
        kernels::Linear op = linear(whole, width, width, n);
        op.is_glu = true;
        g_.add(gated.name, op, {counts_, n.rows, hidden, hidden});
        return;
    }
    const graph::TensorId both = g_.activation(gated.name + ".apart", uint64_t{8} * shape_.n_tokens * width);
    if (has_bias) {
        const auto add = [&](const std::string& name, uint32_t which, uint64_t bias) {
            const kernels::Weight weight = whole ? kernels::slice_rows(whole, which * width, width) : w_.matrix(name);
            kernels::Linear op = linear(weight, width, 2 * width, n);
            op.y_offset = which * width;
            op.bias = bias;
            g_.add(name, op, {counts_, n.rows, both, both});
        };
        add(gated.gate, 0, gated.gate_bias);
        add(gated.up, 1, gated.up_bias);
    } else {
        const std::array parts{gated.gate, gated.up};
        add_stack({.name = gated.name, .whole = gated.whole, .parts = parts, .width = 2 * width}, n, both);
    }
    g_.add(gated.swiglu,
           kernels::SwiGlu{.n_tokens = shape_.n_tokens, .n_cols = width, .stride = 2 * width, .up_at = width},
           {counts_, both, both, hidden});
}

} // namespace vkinfer::models
