// Routing in every mode against float64: choices, weights, the tile list, and what runs in the router's own dispatch.
#include "ops/routing.h"
#include "support/support.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>

using namespace vkinfer;
using namespace vkinfer::test;
using kernels::ActivationMode;
using kernels::CoopmatMode;
using kernels::Gating;

namespace {

struct Choice {
    uint32_t expert;
    float weight;
};

/// Expert and weight per token and choice, ties to the lower index.
std::vector<std::pair<uint32_t, double>> reference_route(const Router& r, const float* z,
                                                         const std::vector<float>& bias) {
    const uint32_t n_experts = r.n_experts - r.joined, n_top = r.n_used - r.joined;
    std::vector<double> p(n_experts), s(n_experts);
    const double largest = *std::max_element(z, z + n_experts);
    double total = 0;
    for (uint32_t e = 0; e < n_experts; ++e) total += std::exp(z[e] - largest);
    for (uint32_t e = 0; e < n_experts; ++e) {
        switch (r.gating) {
        case Gating::softmax:
            p[e] = std::exp(z[e] - largest) / total;
            break;
        case Gating::sigmoid:
            p[e] = 1 / (1 + std::exp(-double{z[e]}));
            break;
        case Gating::softmax_of_selected:
            p[e] = z[e];
            break;
        case Gating::sqrt_softplus:
            p[e] = std::sqrt(std::log1p(std::exp(double{z[e]})));
            break;
        }
        s[e] = p[e] + (r.bias ? bias[e] : 0.0f);
    }
    if (r.n_groups > 1) {
        const uint32_t size = n_experts / r.n_groups;
        std::vector<std::pair<double, uint32_t>> groups;
        for (uint32_t g = 0; g < r.n_groups; ++g) {
            std::vector<double> values(s.begin() + g * size, s.begin() + (g + 1) * size);
            std::ranges::sort(values, std::greater<>());
            groups.emplace_back(-(values[0] + (size > 1 ? values[1] : 0)), g);
        }
        std::ranges::sort(groups);
        for (uint32_t i = r.n_groups_used; i < r.n_groups; ++i)
            for (uint32_t e = 0; e < size; ++e) s[groups[i].second * size + e] = -1e30;
    }
    std::vector<uint32_t> order(n_experts);
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::stable_sort(order, [&](uint32_t a, uint32_t b) { return s[a] > s[b]; });
    std::vector<std::pair<uint32_t, double>> chosen;
    double sum = 0;
    for (uint32_t j = 0; j < n_top; ++j) {
        const double w = r.gating == Gating::softmax_of_selected ? std::exp(z[order[j]] - z[order[0]]) : p[order[j]];
        chosen.emplace_back(order[j], w);
        sum += w;
    }
    const double divisor = r.gating == Gating::softmax_of_selected ? sum : r.normalises ? std::max(sum, 6.1e-5) : 1;
    for (auto& [expert, weight] : chosen) weight *= r.scale / divisor;
    for (uint32_t i = 0; i < r.joined; ++i)
        chosen.emplace_back(n_experts + i, r.shared_gate ? 1 / (1 + std::exp(-double{z[n_experts]})) : 1.0);
    return chosen;
}

} // namespace

namespace vkinfer::test {

kernels::ExpertShape shape_of(const Router& r, uint32_t n_tokens, uint32_t n_embd, uint32_t n_ff) {
    return {.n_tokens = n_tokens,
            .n_experts = r.n_experts,
            .n_used = r.n_used,
            .n_embd = n_embd,
            .n_ff = n_ff,
            .n_shared = r.joined,
            .has_shared_gate = r.shared_gate};
}

KnownLogits::KnownLogits(format::TensorType type, uint32_t n_logits, uint32_t n_live, uint32_t n_tokens,
                         bool is_normed_, const kernels::Policy& policy, std::optional<format::TensorType> shared_type,
                         std::optional<format::TensorType> up_type)
    : weight(harness().weight(type, n_logits, kColumns, 31)), bias(random_floats(n_logits, 32)),
      bias_buffer(harness().buffer(bias)), is_normed(is_normed_) {
    using kernels::NormedRows;
    const float scale = is_normed ? 0.5f : 1.0f; // the root mean square of a row is 2
    std::vector<float> rows(NormedRows::bytes(n_tokens, kColumns) / 4, 0.0f);
    const uint32_t n_parts = NormedRows::n_parts(kColumns, policy);
    for (uint32_t t = 0; t < n_live; ++t) {
        const uint32_t column = (5 * t + 3) % kColumns;
        rows[uint64_t{t} * kColumns + column] = 1;
        rows[uint64_t{n_tokens} * kColumns + uint64_t{t} * n_parts + t % n_parts] = 4.0f * kColumns;
        for (uint32_t e = 0; e < n_logits; ++e)
            logits.push_back(weight.values[uint64_t{e} * kColumns + column] * scale + bias[e]);
    }
    if (shared_type) {
        shared = harness().weight(*shared_type, (up_type ? 1 : 2) * kHidden, kColumns, 33);
        if (up_type) {
            shared_up = harness().weight(*up_type, kHidden, kColumns, 34);
            shared.values.insert(shared.values.end(), shared_up.values.begin(), shared_up.values.end());
        }
        shared_hidden = harness().buffer(uint64_t{4} * n_tokens * kHidden);
        for (uint32_t i = 0; i < n_live * kHidden; ++i) {
            const uint32_t column = (5 * (i / kHidden) + 3) % kColumns, row = i % kHidden;
            const double gate = double{scale} * shared.values[row * kColumns + column];
            const double up = double{scale} * shared.values[(kHidden + row) * kColumns + column];
            shared_expected.push_back(gate / (1 + std::exp(-gate)) * up);
        }
    }
    x = harness().buffer(rows);
    arrivals = harness().buffer(std::vector<uint32_t>{77, 0, 77});
}

Routed route(const Router& r, uint32_t n_live, uint32_t n_tokens, uint32_t n_embd, uint32_t n_ff,
             const kernels::Policy& policy, bool with_ties, const KnownLogits* product) {
    OpHarness& h = harness();
    const uint32_t stride = r.n_experts - r.joined + r.shared_gate;
    std::vector<float> logits =
        product != nullptr ? product->logits : random_floats(uint64_t{n_live} * stride, 5 + n_live, 2.0f);
    if (with_ties)
        for (float& z : logits) z = std::round(z);
    const std::vector<float> bias = random_floats(r.n_experts, 6, 0.3f);
    const kernels::ExpertShape shape = shape_of(r, n_tokens, n_embd, n_ff);
    Routed routed{.counts = h.buffer(std::vector<uint32_t>{n_live, 0, 0, 0}),
                  .choices = h.buffer(shape.choices_bytes()),
                  .tiles = h.buffer(shape.tiles_bytes()),
                  .slots = h.buffer(shape.slots_bytes())};
    const gpu::Buffer logit_buffer = h.buffer(logits.empty() ? std::vector{0.0f} : logits),
                      bias_buffer = h.buffer(bias);
    const gpu::Buffer load = h.buffer(std::vector<uint32_t>(r.n_experts, 0));
    kernels::ExpertRoute op{.shape = shape,
                            .gating = r.gating,
                            .selection_bias = r.bias ? bias_buffer.address() : 0,
                            .load = load.address(),
                            .logits_stride = stride,
                            .n_groups = r.n_groups,
                            .n_groups_used = r.n_groups_used,
                            .normalises = r.normalises,
                            .scale = r.scale};
    if (product == nullptr) {
        h.run(op, {&routed.counts, &logit_buffer, &routed.choices, &routed.tiles, &routed.slots}, policy);
    } else {
        op.router = product->weight.weight;
        op.router_bias = product->bias_buffer.address();
        op.x_is_normed = product->is_normed;
        op.arrival_at = 1;
        std::vector<const gpu::Buffer*> operands{&routed.counts, &product->x,   &routed.choices,
                                                 &routed.tiles,  &routed.slots, &product->arrivals};
        if (product->shared.weight) {
            op.shared = product->shared.weight;
            op.shared_up = product->shared_up.weight;
            operands.push_back(&product->shared_hidden);
        }
        h.run(op, operands, policy);
        CHECK(h.read<uint32_t>(product->arrivals, 3) == std::vector<uint32_t>{77, 0, 77}); // for the next layer's
    }

    if (product != nullptr && product->shared.weight && n_live > 0) {
        CHECK(nmse(h.read<float>(product->shared_hidden, product->shared_expected.size()), product->shared_expected) <
              1e-8);
    }
    if (n_live == 0) { // a step that has ended
        CHECK(h.read<uint32_t>(routed.tiles, 1)[0] == 0);
        return routed;
    }
    const bool outer_gate = r.shared_gate && r.joined == 0;
    const uint32_t choice_stride = r.n_used + outer_gate;
    const auto choices = h.read<Choice>(routed.choices, uint64_t{n_live} * choice_stride);
    std::vector<uint32_t> expected_load(r.n_experts, 0);
    for (uint32_t t = 0; t < n_live; ++t) {
        const float* z = &logits[uint64_t{t} * stride];
        routed.expected.push_back(reference_route(r, z, bias));
        for (uint32_t j = 0; j < r.n_used; ++j) {
            const auto& [expert, weight] = routed.expected.back()[j];
            const Choice& got = choices[uint64_t{t} * choice_stride + j];
            CHECK(got.expert == expert);
            CHECK(got.weight == doctest::Approx(weight).epsilon(2e-5));
            if (expert < r.n_experts - r.joined) ++expected_load[expert]; // only what was chosen counts
        }
        if (outer_gate) {
            routed.shared_gates.push_back(1 / (1 + std::exp(-double{z[r.n_experts]})));
            CHECK(choices[uint64_t{t} * choice_stride + r.n_used].weight ==
                  doctest::Approx(routed.shared_gates.back()).epsilon(1e-5));
        }
    }
    CHECK(h.read<uint32_t>(load, r.n_experts) == expected_load);

    // Every slot stands in exactly one tile, which is of its expert.
    const auto tiles = h.read<uint32_t>(routed.tiles, shape.tiles_bytes() / 4);
    const auto slots = h.read<uint32_t>(routed.slots, uint64_t{n_live} * r.n_used);
    std::vector<int> seen(slots.size(), 0);
    REQUIRE(tiles[0] <= 2 * shape.n_slots());
    for (uint32_t i = 0; i < tiles[0]; ++i) {
        const uint32_t* tile = &tiles[16 + 4 * i];
        CHECK(tile[2] > 0);
        for (uint32_t place = tile[1]; place < tile[1] + tile[2]; ++place) {
            REQUIRE(place < slots.size());
            REQUIRE(slots[place] < slots.size());
            ++seen[slots[place]];
            CHECK(routed.expected[slots[place] / r.n_used][slots[place] % r.n_used].first == tile[0]);
        }
    }
    CHECK(std::ranges::all_of(seen, [](int n) { return n == 1; }));
    return routed;
}

} // namespace vkinfer::test

TEST_CASE("routing in every mode, up to 22 of 512") {
    const kernels::Policy policy = harness().policy(CoopmatMode::automatic, ActivationMode::f16);
    for (const auto& [n_live, n_tokens] : {std::pair{1u, 1u}, {3u, 4u}, {45u, 64u}}) {
        for (const auto gating :
             {Gating::softmax, Gating::sigmoid, Gating::softmax_of_selected, Gating::sqrt_softplus}) {
            INFO("gating ", static_cast<int>(gating), " tokens ", n_live);
            route({.n_experts = 60,
                   .n_used = 4,
                   .gating = gating,
                   .normalises = n_live != 3,
                   .scale = 2.5f,
                   .shared_gate = gating == Gating::softmax},
                  n_live, n_tokens, 64, 32, policy);
        }
    }
    for (const uint32_t n_groups : {1u, 8u}) {
        route({.n_experts = 512,
               .n_used = 22,
               .gating = Gating::sigmoid,
               .bias = true,
               .n_groups = n_groups,
               .n_groups_used = std::min(n_groups, 4u)},
              30, 32, 64, 32, policy);
    }
    for (const uint32_t n : {1u, 40u}) {
        route(
            {.n_experts = 64, .n_used = 8, .gating = Gating::sigmoid, .bias = true, .n_groups = 8, .n_groups_used = 3},
            n, n, 64, 32, policy);
    }
    route({.n_experts = 3, .n_used = 3}, 5, 8, 64, 32, policy);
    route({.n_experts = 1, .n_used = 1}, 1, 1, 64, 32, policy);
}

TEST_CASE("ties go to the expert of lower index") {
    for (const auto& [n_live, n_tokens] : {std::pair{1u, 1u}, {20u, 32u}})
        route({.n_experts = 40, .n_used = 6, .gating = Gating::softmax_of_selected}, n_live, n_tokens, 64, 32,
              harness().policy(CoopmatMode::automatic, ActivationMode::f16), true);
}

TEST_CASE("a router of few tokens multiplies and routes in one dispatch" * doctest::test_suite("every variant")) {
    using enum format::TensorType;
    const Router routers[] = {{.n_experts = 8, .n_used = 2},
                              {.n_experts = 72,
                               .n_used = 6,
                               .gating = Gating::sigmoid,
                               .bias = true,
                               .n_groups = 8,
                               .n_groups_used = 3,
                               .scale = 2.5f},
                              {.n_experts = 130, .n_used = 4, .gating = Gating::softmax_of_selected},
                              {.n_experts = 21, .n_used = 5, .shared_gate = true},
                              {.n_experts = 35, .n_used = 7, .shared_gate = true, .joined = 3}};
    const kernels::Policy policy = harness().policy(CoopmatMode::off, ActivationMode::f32);
    for (const Router& r : routers) {
        for (const auto& [type, n_live, n_tokens] :
             {std::tuple{f32, 1u, 1u}, std::tuple{f32, 0u, 1u}, std::tuple{f16, 5u, 8u}, std::tuple{bf16, 1u, 4u},
              std::tuple{f32, 32u, 32u}, std::tuple{f32, 17u, 32u}, std::tuple{f32, 0u, 32u}}) {
            for (const bool is_normed : {false, true}) {
                INFO(r.n_experts, " experts, ", std::string(format::to_string(type)), ", tokens ", n_live, " of ",
                     n_tokens, " normed ", is_normed);
                const KnownLogits product(type, r.n_experts - r.joined + r.shared_gate, n_live, n_tokens, is_normed,
                                          policy);
                route(r, n_live, n_tokens, 64, 32, policy, false, &product);
            }
        }
    }
}

TEST_CASE("gate and up of a shared expert of any type beside the router" * doctest::test_suite("every variant")) {
    const auto check = [](const Router& r, format::TensorType type, const kernels::Policy& policy, uint32_t n_live,
                          uint32_t n_tokens, bool is_normed, std::optional<format::TensorType> up_type = {}) {
        INFO(r.n_experts, " experts, shared ", std::string(format::to_string(type)), " and ",
             std::string(format::to_string(up_type.value_or(type))), ", tokens ", n_live, " of ", n_tokens, " normed ",
             is_normed, " int8 ", policy.int8_activations);
        const KnownLogits product(format::TensorType::f32, r.n_experts + r.shared_gate, n_live, n_tokens, is_normed,
                                  policy, type, up_type);
        route(r, n_live, n_tokens, 64, 32, policy, false, &product);
    };
    const kernels::Policy f32 = harness().policy(CoopmatMode::off, ActivationMode::f32),
                          q8 = harness().policy(CoopmatMode::off, ActivationMode::q8);
    for (const kernels::WeightLayout& layout : kernels::all_weight_layouts()) {
        for (const kernels::Policy& policy : {f32, q8}) {
            if (policy.int8_activations && !layout.has_int8) continue;
            check({.n_experts = 21, .n_used = 5, .shared_gate = true}, layout.type, policy, 1, 1, true);
            check({.n_experts = 8, .n_used = 2}, layout.type, policy, 5, 8, false);
        }
    }
    for (const auto& [n_live, n_tokens] : {std::pair{0u, 1u}, {3u, 4u}, {32u, 32u}, {17u, 32u}, {0u, 32u}}) {
        const Router r{.n_experts = 130, .n_used = 4, .gating = Gating::softmax_of_selected, .shared_gate = true};
        check(r, format::TensorType::q8_0, q8, n_live, n_tokens, true);
        check(r, format::TensorType::q6_k, f32, n_live, n_tokens, false);
        check(r, format::TensorType::q8_0, q8, n_live, n_tokens, true, format::TensorType::q6_k); // one with int8 codes
        check(r, format::TensorType::q4_k, f32, n_live, n_tokens, false, format::TensorType::f16);
    }
    const auto layouts = kernels::all_weight_layouts();
    for (size_t i = 0; i < layouts.size(); ++i) {
        const format::TensorType type = layouts[i].type, up_type = layouts[(i + 7) % layouts.size()].type;
        for (const kernels::Policy& policy : {f32, q8})
            check({.n_experts = 8, .n_used = 2}, type, policy, 5, 8, i % 2 == 0, up_type);
    }
}
