// Routing against float64, for the tests of routing and of the layers that follow it.
#pragma once

#include "ops/harness.h"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace vkinfer::test {

struct Router {
    uint32_t n_experts = 8, n_used = 2;
    kernels::Gating gating = kernels::Gating::softmax;
    bool bias = false;
    uint32_t n_groups = 1, n_groups_used = 1;
    bool normalises = true;
    float scale = 1;
    bool shared_gate = false;
    uint32_t joined = 0; ///< the last of n_experts, which are together the shared one
};

kernels::ExpertShape shape_of(const Router& r, uint32_t n_tokens, uint32_t n_embd, uint32_t n_ff);

struct Routed {
    gpu::Buffer counts, choices, tiles, slots;
    std::vector<std::vector<std::pair<uint32_t, double>>> expected;
    std::vector<double> shared_gates;
};

/// The matrix of a router, and rows of x that each pick one of its columns: logits are known to the bit.
struct KnownLogits {
    TestWeight weight;
    std::vector<float> bias, logits;
    gpu::Buffer bias_buffer, x, arrivals;
    bool is_normed;
    TestWeight shared;    ///< gate over up of a shared expert, or none; its values are those of both in any case
    TestWeight shared_up; ///< of another type than gate, or none
    std::vector<double> shared_expected;
    gpu::Buffer shared_hidden;

    KnownLogits(format::TensorType type, uint32_t n_logits, uint32_t n_live, uint32_t n_tokens, bool is_normed_,
                const kernels::Policy& policy, std::optional<format::TensorType> shared_type = std::nullopt,
                std::optional<format::TensorType> up_type = std::nullopt);

    static constexpr uint32_t kColumns = 256; ///< what every type allows
    static constexpr uint32_t kHidden = 48;
};

/// Routes n_live random tokens in a plan for n_tokens and compares choices, weights and the tile list.
Routed route(const Router& r, uint32_t n_live, uint32_t n_tokens, uint32_t n_embd, uint32_t n_ff,
             const kernels::Policy& policy, bool with_ties = false, const KnownLogits* product = nullptr);

} // namespace vkinfer::test
