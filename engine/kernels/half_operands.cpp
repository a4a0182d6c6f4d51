// Which operands kernels take and make as f16.
#include "kernels/lowering.h"

#include <utility>

namespace vkinfer::kernels {

namespace {

struct HalfInput {
    const Policy& policy;

    std::optional<uint32_t> operator()(const Linear& op) const {
        return is_gemm(op, policy) && !op.x_is_normed ? std::optional(1u) : std::nullopt;
    }
    std::optional<uint32_t> operator()(const ExpertOutput& op) const {
        return experts_are_gemms(op.shape, policy) ? std::optional(4u) : std::nullopt;
    }
    std::optional<uint32_t> operator()(const auto&) const { return std::nullopt; }
};

struct HalfOutput {
    const Policy& policy;

    std::optional<uint32_t> operator()(const RmsNorm&) const { return 2; }
    std::optional<uint32_t> operator()(const Linear& op) const {
        return is_gemm(op, policy) && op.is_glu ? std::optional(3u) : std::nullopt;
    }
    std::optional<uint32_t> operator()(const SwiGlu&) const { return 3; }
    std::optional<uint32_t> operator()(const Attention&) const { return 4; }
    std::optional<uint32_t> operator()(const ExpertHidden& op) const {
        return experts_are_gemms(op.shape, policy) ? std::optional(4u) : std::nullopt;
    }
    std::optional<uint32_t> operator()(const auto&) const { return std::nullopt; }
};

} // namespace

std::optional<uint32_t> half_input(const Op& op, const Policy& policy) {
    return std::visit(HalfInput{policy}, op);
}

std::optional<uint32_t> half_output(const Op& op, const Policy& policy) {
    return std::visit(HalfOutput{policy}, op);
}

Op with_halves(Op op, bool input, bool output) {
    std::visit(
        [&](auto& o) {
            if constexpr (requires { o.x_is_half; }) o.x_is_half |= input;
            if constexpr (requires { o.y_is_half; }) o.y_is_half |= output;
        },
        op);
    return op;
}

bool uses_operand(const Op& op, uint32_t operand) {
    const auto* linear = std::get_if<Linear>(&op);
    return linear == nullptr || operand != 2 || linear->has_residual;
}

} // namespace vkinfer::kernels
