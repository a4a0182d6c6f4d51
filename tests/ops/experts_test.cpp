// Mixture of experts against float64: routing in every mode, and whole layers (route, sort, products, weighted sum) on
// every path, with steps from one token to many and fewer tokens than the plan has room for. Limits as in
// linear_test.cpp.
#include "ops/harness.h"
#include "support/support.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <doctest/doctest.h>
#include <numeric>
#include <optional>

using namespace vkinfer;
using namespace vkinfer::test;
using kernels::Activation;
using kernels::ActivationMode;
using kernels::CoopmatMode;
using kernels::Gating;

namespace {

struct Router {
    uint32_t n_experts = 8, n_used = 2;
    Gating gating = Gating::softmax;
    bool bias = false;
    uint32_t n_groups = 1, n_groups_used = 1;
    bool normalises = true;
    float scale = 1;
    bool shared_gate = false;
    uint32_t joined = 0; ///< the last of n_experts, which are together the shared one
};

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

kernels::ExpertShape shape_of(const Router& r, uint32_t n_tokens, uint32_t n_embd, uint32_t n_ff) {
    return {.n_tokens = n_tokens,
            .n_experts = r.n_experts,
            .n_used = r.n_used,
            .n_embd = n_embd,
            .n_ff = n_ff,
            .n_shared = r.joined,
            .has_shared_gate = r.shared_gate};
}

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
    TestWeight shared; ///< gate over up of a shared expert, or none
    std::vector<double> shared_expected;
    gpu::Buffer shared_hidden;

    KnownLogits(format::TensorType type, uint32_t n_logits, uint32_t n_live, uint32_t n_tokens, bool is_normed_,
                const kernels::Policy& policy, std::optional<format::TensorType> shared_type = std::nullopt)
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
            shared = harness().weight(*shared_type, 2 * kHidden, kColumns, 33);
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

    static constexpr uint32_t kColumns = 256; ///< what every type allows
    static constexpr uint32_t kHidden = 48;
};

/// Routes n_live random tokens in a plan for n_tokens and compares choices, weights and the tile list.
Routed route(const Router& r, uint32_t n_live, uint32_t n_tokens, uint32_t n_embd, uint32_t n_ff,
             const kernels::Policy& policy, bool with_ties = false, const KnownLogits* product = nullptr) {
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

struct Layer {
    Router router;
    format::TensorType type = format::TensorType::q4_0;
    uint32_t n_embd = 64, n_ff = 32;
    Activation activation = Activation::silu;
    bool bias = false;
    bool fused = false; ///< gate and up rows of an expert follow each other
    bool row_scales = false;
    std::optional<format::TensorType> up_type; ///< of up, where it differs from that of gate
    bool halves = false;                       ///< the hidden rows once more in f16, where that can be
};

double activate(Activation activation, double gate, double up) {
    if (activation == Activation::clamped_silu) {
        gate = std::min(gate, 7.0);
        up = std::clamp(up, -7.0, 7.0);
        return gate / (1 + std::exp(-1.702 * gate)) * (up + 1);
    }
    return gate / (1 + std::exp(-gate)) * up;
}

void check_layer(const Layer& layer, uint32_t n_live, uint32_t n_tokens, const kernels::Policy& policy, double limit) {
    OpHarness& h = harness();
    const Router& r = layer.router;
    const uint32_t e_ff = layer.n_ff, d = layer.n_embd;
    INFO(format::to_string(layer.type), " experts ", r.n_used, " of ", r.n_experts, ", ", d, " x ", e_ff, ", tokens ",
         n_live, " of ", n_tokens, " bias ", layer.bias, " fused ", layer.fused, " row scales ", layer.row_scales);
    const Routed routed = route(r, n_live, n_tokens, d, e_ff, policy);
    const kernels::ExpertShape shape = shape_of(r, n_tokens, d, e_ff);
    TestWeight in = h.weight(layer.type, (layer.up_type ? 1 : 2) * r.n_experts * e_ff, d, 11);
    TestWeight up_in;
    if (layer.up_type) {
        up_in = h.weight(*layer.up_type, r.n_experts * e_ff, d, 19);
        in.values.insert(in.values.end(), up_in.values.begin(), up_in.values.end());
    }
    TestWeight out = h.weight(layer.type, r.n_experts * d, e_ff, 12);
    // A factor for each row, though files have one for each expert.
    std::vector<float> in_scales(uint64_t{2} * r.n_experts * e_ff, 1.0f), out_scales(out.weight.n_rows, 1.0f);
    if (layer.row_scales) {
        for (size_t i = 0; i < in_scales.size(); ++i) in_scales[i] = 0.25f * static_cast<float>(1 + i % 7);
        for (size_t i = 0; i < out_scales.size(); ++i) out_scales[i] = 0.25f * static_cast<float>(1 + i % 5);
    }
    const gpu::Buffer in_scale_buffer = h.buffer(in_scales), out_scale_buffer = h.buffer(out_scales);
    if (layer.row_scales) {
        in.weight.row_scales = in_scale_buffer.address();
        out.weight.row_scales = out_scale_buffer.address();
    }
    const std::vector<float> x = random_floats(uint64_t{n_live} * d, 13, 2.0f);
    const std::vector<float> residual = random_floats(uint64_t{n_live} * d, 14);
    const std::vector<float> shared = random_floats(uint64_t{n_live} * d, 15);
    const std::vector<float> bias = random_floats(r.n_experts * e_ff, 16),
                             up_bias = random_floats(r.n_experts * e_ff, 17);
    const std::vector<float> out_bias = random_floats(r.n_experts * d, 18);
    const gpu::Buffer x_buffer = h.buffer(x), residual_buffer = h.buffer(residual), shared_buffer = h.buffer(shared);
    const gpu::Buffer bias_buffer = h.buffer(bias), up_bias_buffer = h.buffer(up_bias),
                      out_bias_buffer = h.buffer(out_bias);
    const gpu::Buffer hidden = h.buffer(uint64_t{4} * shape.n_slots() * e_ff);
    const gpu::Buffer y = h.buffer(uint64_t{4} * n_tokens * d);

    const uint32_t strips = e_ff / 16;
    kernels::ExpertWeight in_weight{.weight = in.weight,
                                    .expert_strips = layer.fused ? 2 * strips : strips,
                                    .up_strips = layer.fused ? strips : r.n_experts * strips};
    kernels::ExpertWeight out_weight{.weight = out.weight, .expert_strips = d / 16};
    if (layer.bias) {
        in_weight.bias = bias_buffer.address();
        in_weight.up_bias = up_bias_buffer.address();
        out_weight.bias = out_bias_buffer.address();
    }
    kernels::ExpertWeight up_weight;
    if (layer.up_type) {
        in_weight.up_strips = 0;
        in_weight.up_bias = 0;
        up_weight = {
            .weight = up_in.weight, .expert_strips = strips, .bias = layer.bias ? up_bias_buffer.address() : 0};
        if (layer.row_scales) {
            up_weight.weight.row_scales = in_scale_buffer.address() + uint64_t{4} * r.n_experts * e_ff;
        }
    }
    const auto run = [&](bool halves) {
        h.run(kernels::ExpertHidden{.shape = shape,
                                    .weight = in_weight,
                                    .up = up_weight,
                                    .activation = layer.activation,
                                    .y_is_half = halves},
              {&routed.counts, &routed.tiles, &routed.slots, &x_buffer, &hidden}, policy);
        h.run(kernels::ExpertOutput{.shape = shape, .weight = out_weight, .x_is_half = halves},
              {&routed.counts, &routed.choices, &routed.tiles, &routed.slots, &hidden, &residual_buffer,
               r.shared_gate && r.joined == 0 ? &shared_buffer : &residual_buffer, &y},
              policy);
        return h.read<float>(y, uint64_t{n_live} * d);
    };
    const std::vector<float> got = run(false);
    // Rounded by who makes them or by who reads them: the same.
    if (layer.halves && kernels::half_output(kernels::ExpertHidden{.shape = shape}, policy)) CHECK(run(true) == got);

    std::vector<double> expected;
    std::vector<double> one(e_ff);
    for (uint32_t t = 0; t < n_live; ++t) {
        std::vector<double> sum(d);
        for (uint32_t i = 0; i < d; ++i) {
            sum[i] = residual[uint64_t{t} * d + i];
            if (r.shared_gate && r.joined == 0) sum[i] += routed.shared_gates[t] * shared[uint64_t{t} * d + i];
        }
        for (const auto& [e, w] : routed.expected[t]) {
            for (uint32_t f = 0; f < e_ff; ++f) {
                const uint64_t gate_row = layer.fused ? uint64_t{e} * 2 * e_ff + f : uint64_t{e} * e_ff + f;
                const uint64_t up_row = gate_row + (layer.fused ? e_ff : r.n_experts * e_ff);
                double gate = 0, up = 0;
                for (uint32_t i = 0; i < d; ++i) {
                    gate += double{in.values[gate_row * d + i]} * x[uint64_t{t} * d + i];
                    up += double{in.values[up_row * d + i]} * x[uint64_t{t} * d + i];
                }
                gate = gate * in_scales[gate_row] + (layer.bias ? bias[e * e_ff + f] : 0);
                up = up * in_scales[up_row] + (layer.bias ? up_bias[e * e_ff + f] : 0);
                one[f] = activate(layer.activation, gate, up);
            }
            for (uint32_t i = 0; i < d; ++i) {
                double value = 0;
                for (uint32_t f = 0; f < e_ff; ++f)
                    value += double{out.values[(uint64_t{e} * d + i) * e_ff + f]} * one[f];
                value = value * out_scales[e * d + i] + (layer.bias ? out_bias[e * d + i] : 0);
                sum[i] += w * value;
            }
        }
        expected.insert(expected.end(), sum.begin(), sum.end());
    }
    CHECK(nmse(got, expected) < limit);
}

struct Path {
    CoopmatMode coopmat;
    ActivationMode act;
    double limit;
};

constexpr Path kPaths[] = {{CoopmatMode::off, ActivationMode::f32, 1e-11},
                           {CoopmatMode::on, ActivationMode::f16, 2e-6},
                           {CoopmatMode::off, ActivationMode::q8, 3e-4}};

} // namespace

// Every shape of step and kind of weight is a pipeline of its own, which lavapipe compiles for a second or so: the
// cases below are few, and chosen to differ in several things at once.
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

TEST_CASE("whole layers on every path, from one token to many") {
    for (const Path& path : kPaths) {
        const kernels::Policy policy = harness().policy(path.coopmat, path.act);
        for (const auto& [n_live, n_tokens] : {std::pair{1u, 1u}, {3u, 4u}, {8u, 8u}, {13u, 16u}, {40u, 64u}}) {
            check_layer({.router = {.n_experts = 17, .n_used = 5},
                         .n_embd = 96,
                         .n_ff = 64,
                         .fused = n_live == 3,
                         .row_scales = n_live == 3 || n_live == 40,
                         .halves = true},
                        n_live, n_tokens, policy, path.limit);
        }
        for (const uint32_t n : {1u, 3u, 40u}) {
            check_layer({.router = {.n_experts = 9, .n_used = 5, .shared_gate = n == 3, .joined = n == 1 ? 1u : 3u}}, n,
                        n == 1   ? 1
                        : n == 3 ? 4
                                 : 64,
                        policy, path.limit);
        }
        for (const uint32_t n : {1u, 5u}) {
            check_layer({.router = {.gating = Gating::softmax_of_selected, .shared_gate = n == 5},
                         .n_embd = 64,
                         .n_ff = 96,
                         .activation = Activation::clamped_silu,
                         .bias = true,
                         .row_scales = true},
                        n, n == 1 ? 1 : 8, policy, path.limit);
        }
    }
}

TEST_CASE("an expert's rows share a tile up to 32, those of the shared one always") {
    for (const auto act : {ActivationMode::f32, ActivationMode::q8}) {
        if (act == ActivationMode::q8 && !harness().capabilities().integer_dot_product) continue;
        kernels::Policy policy = harness().policy(CoopmatMode::off, act);
        policy.matvec_max_columns = 32; // 16 on a CPU
        for (const auto& [n_live, n_tokens] : {std::pair{9u, 16u}, {29u, 32u}, {32u, 32u}}) {
            check_layer({.router = {.n_experts = 9, .n_used = 5, .joined = n_live == 32 ? 0u : 1u},
                         .n_embd = 160,
                         .n_ff = 96,
                         .row_scales = n_live == 29},
                        n_live, n_tokens, policy, act == ActivationMode::q8 ? 3e-4 : 1e-10);
        }
    }
}

TEST_CASE("experts of every kind of weight") {
    using enum format::TensorType;
    for (const Path& path : kPaths) {
        const kernels::Policy policy = harness().policy(path.coopmat, path.act);
        for (const auto type : {f16, q8_0, mxfp4, q4_k, nvfp4, iq2_xxs}) {
            for (const uint32_t n : {1u, 35u}) {
                check_layer({.router = {.n_experts = 4, .n_used = 2}, .type = type, .n_embd = 256, .n_ff = 256}, n, n,
                            policy, path.limit);
            }
        }
    }
}

TEST_CASE("gate and up of different types") {
    using enum format::TensorType;
    for (const Path& path : kPaths) {
        const kernels::Policy policy = harness().policy(path.coopmat, path.act);
        for (const auto& [n_live, n_tokens] : {std::pair{1u, 1u}, {3u, 4u}, {40u, 64u}}) {
            check_layer({.router = {.n_experts = 9, .n_used = 3},
                         .type = q4_k,
                         .n_embd = 256,
                         .n_ff = 256,
                         .up_type = q6_k, // of which only the first has int8 codes
                         .halves = true},
                        n_live, n_tokens, policy, path.limit);
        }
        check_layer({.router = {.gating = Gating::softmax_of_selected},
                     .type = q5_0,
                     .n_embd = 64,
                     .n_ff = 96,
                     .activation = Activation::clamped_silu,
                     .bias = true,
                     .row_scales = true,
                     .up_type = q8_0},
                    5, 8, policy, path.limit);
    }
}

TEST_CASE("group counts stay within what every device allows, however many slots a step has") {
    const kernels::ExpertShape shape = shape_of({.n_experts = 512, .n_used = 22}, 8192, 512, 512);
    kernels::ExpertWeight in, up, out;
    in.weight = up.weight = {.type = format::TensorType::q4_0, .n_rows = 512 * 512, .n_cols = 512, .codes = 4096};
    up.weight.type = format::TensorType::q8_0;
    out.weight = {.type = format::TensorType::q4_0, .n_rows = 512 * 512, .n_cols = 512, .codes = 4096};
    for (const auto act : {ActivationMode::q8, ActivationMode::f32}) {
        const kernels::Policy policy = harness().policy(CoopmatMode::off, act);
        for (const kernels::Lowered& lowered :
             {lower(kernels::ExpertRoute{.shape = shape, .logits_stride = 512}, policy),
              lower(kernels::ExpertHidden{.shape = shape, .weight = in, .up = up}, policy),
              lower(kernels::ExpertOutput{.shape = shape, .weight = out}, policy)}) {
            for (const kernels::Dispatch& dispatch : lowered.dispatches) {
                CAPTURE(dispatch.shader->name);
                for (const uint32_t count : dispatch.groups) CHECK(count <= 65535);
            }
        }
    }
    // Rows beyond 32768 continue in the next layer of workgroups: 11 x 4096 rows are rounded and summed like any.
    check_layer(
        {.router = {.n_experts = 12, .n_used = 11}, .n_embd = 32, .n_ff = 32, .up_type = format::TensorType::q8_0},
        3000, 4096, harness().policy(CoopmatMode::off, ActivationMode::q8), 3e-4);
}

TEST_CASE("experts of every weight type" * doctest::test_suite("every variant")) {
    for (const kernels::WeightLayout& layout : kernels::all_weight_layouts()) {
        const uint32_t width = std::max(64u, layout.tile_elements);
        for (const Path& path : kPaths) {
            const kernels::Policy policy = harness().policy(path.coopmat, path.act);
            for (const uint32_t n : {1u, 3u, 20u}) {
                if ((path.coopmat == CoopmatMode::on) != (n == 20)) continue; // what each path is for
                check_layer({.router = {.n_experts = 3, .n_used = 2},
                             .type = layout.type,
                             .n_embd = width,
                             .n_ff = width,
                             .row_scales = layout.type == format::TensorType::nvfp4},
                            n, n, policy, path.limit);
            }
        }
    }
}

TEST_CASE("all tokens to one expert, and more places than a tile holds") {
    for (const Path& path : kPaths) {
        const kernels::Policy policy = harness().policy(path.coopmat, path.act);
        check_layer({.router = {.n_experts = 2, .n_used = 2}}, 70, 128, policy, path.limit);
    }
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
                          uint32_t n_tokens, bool is_normed) {
        INFO(r.n_experts, " experts, shared ", std::string(format::to_string(type)), ", tokens ", n_live, " of ",
             n_tokens, " normed ", is_normed, " int8 ", policy.int8_activations);
        const KnownLogits product(format::TensorType::f32, r.n_experts + r.shared_gate, n_live, n_tokens, is_normed,
                                  policy, type);
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
    }
}

TEST_CASE("few dispatches: router and routing, gate and up, down with the weighted sum") {
    const kernels::Policy policy = harness().policy(CoopmatMode::off, ActivationMode::f32);
    const auto count = [&](uint32_t n_tokens) {
        const kernels::ExpertShape shape = shape_of({.n_experts = 128, .n_used = 8}, n_tokens, 2048, 768);
        kernels::ExpertWeight in, out;
        in.weight = {.type = format::TensorType::q4_0, .n_rows = 2 * 128 * 768, .n_cols = 2048, .codes = 4096};
        out.weight = {.type = format::TensorType::q4_0, .n_rows = 128 * 2048, .n_cols = 768, .codes = 4096};
        kernels::ExpertRoute route{.shape = shape, .logits_stride = 128};
        const kernels::Weight router{.type = format::TensorType::f32, .n_rows = 128, .n_cols = 2048, .codes = 4096};
        if (kernels::ExpertRoute::routes_itself(router, shape)) route.router = router;
        return std::vector{lower(route, policy).dispatches.size(),
                           lower(kernels::ExpertHidden{.shape = shape, .weight = in}, policy).dispatches.size(),
                           lower(kernels::ExpertOutput{.shape = shape, .weight = out}, policy).dispatches.size()};
    };
    CHECK(count(1) == std::vector<size_t>{1, 1, 1});
    CHECK(count(2) == std::vector<size_t>{1, 1, 1});
    CHECK(count(32) == std::vector<size_t>{1, 1, 1});
    CHECK(count(512) == std::vector<size_t>{2, 1, 2});
}
