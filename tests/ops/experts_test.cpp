// Mixture of experts against float64: whole layers (route, sort, products, weighted sum) on every path, with steps from
// one token to many and fewer tokens than the plan has room for. Limits as in linear_test.cpp.
#include "ops/routing.h"
#include "support/support.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <optional>

using namespace vkinfer;
using namespace vkinfer::test;
using kernels::Activation;
using kernels::ActivationMode;
using kernels::CoopmatMode;
using kernels::Gating;

namespace {

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
