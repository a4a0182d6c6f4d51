// Matrix products of every weight type and path against float64, at shapes that no tile divides.
// Limits: f32 sums of K products of O(1/sqrt K) values have a relative error of some 1e-7 * sqrt(K), so an NMSE around
// 1e-13; f16 operands round to 2^-11 each: NMSE 2 * 2^-22 / 3 = 1.6e-7; int8 activations to 1/254 of a block's largest
// value: NMSE about (1/254)^2 / 3 / (mean square of a block relative to its peak) = 5e-5.
#include "ops/harness.h"
#include "support/support.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace vkinfer;
using namespace vkinfer::test;
using kernels::ActivationMode;
using kernels::CoopmatMode;

namespace {

constexpr format::TensorType kTypes[] = {format::TensorType::f32, format::TensorType::f16, format::TensorType::bf16,
                                         format::TensorType::q8_0, format::TensorType::q4_0};

/// Super-blocks, codebooks, and the type with a scale for 16 elements.
constexpr format::TensorType kWideTypes[] = {
    format::TensorType::q4_k,    format::TensorType::q6_k,   format::TensorType::iq1_s, format::TensorType::iq1_m,
    format::TensorType::iq2_xxs, format::TensorType::iq2_xs, format::TensorType::iq2_s, format::TensorType::iq3_xxs,
    format::TensorType::iq3_s,   format::TensorType::nvfp4};

struct Shape {
    uint32_t n_out, n_cols, n_columns;
};

struct Flags {
    bool bias = false, residual = false, glu = false, row_scales = false;
};

double silu(double x) {
    return x / (1.0 + std::exp(-x));
}

std::vector<double> reference(const TestWeight& w, const std::vector<float>& x, const std::vector<float>& bias,
                              const std::vector<float>& residual, const std::vector<float>& factors, const Shape& s,
                              const Flags& flags) {
    std::vector<double> y(uint64_t{s.n_columns} * s.n_out);
    const auto product = [&](uint32_t t, uint32_t r) {
        double sum = 0;
        for (uint32_t k = 0; k < s.n_cols; ++k)
            sum += double{w.values[uint64_t{r} * s.n_cols + k]} * x[uint64_t{t} * s.n_cols + k];
        return sum;
    };
    for (uint32_t t = 0; t < s.n_columns; ++t) {
        for (uint32_t r = 0; r < s.n_out; ++r) {
            double value = product(t, r) * factors[r];
            if (flags.bias) value += bias[r];
            if (flags.glu) value = silu(value) * product(t, r + s.n_out);
            if (flags.residual) value += residual[uint64_t{t} * s.n_out + r];
            y[uint64_t{t} * s.n_out + r] = value;
        }
    }
    return y;
}

using Plant = std::function<void(TestWeight&)>;

/// NMSE of a product. `plant` may spoil the weight on the device, of which the reference knows nothing.
double error_of(format::TensorType type, const Shape& s, const Flags& flags, const kernels::Policy& policy,
                const char* shader, const Plant& plant = {}) {
    OpHarness& h = harness();
    INFO(std::string(format::to_string(type)), " ", s.n_out, "x", s.n_cols, " columns ", s.n_columns, " bias ",
         flags.bias, " residual ", flags.residual, " glu ", flags.glu, " ", std::string(shader));
    TestWeight w = h.weight(type, s.n_out * (flags.glu ? 2 : 1), s.n_cols, 1 + s.n_out);
    if (plant) plant(w);
    const std::vector<float> x = random_floats(uint64_t{s.n_columns} * s.n_cols, 2);
    const std::vector<float> bias = random_floats(s.n_out, 3);
    const std::vector<float> residual = random_floats(uint64_t{s.n_columns} * s.n_out, 4);
    // Factors of rows, as they stand beside NVFP4 weights.
    std::vector<float> factors(w.weight.n_rows, 1.0f);
    for (uint32_t r = 0; flags.row_scales && r < w.weight.n_rows; ++r)
        factors[r] = 0.25f * static_cast<float>(1 + r % 7);
    const gpu::Buffer factor_buffer = h.buffer(factors);
    if (flags.row_scales) w.weight.row_scales = factor_buffer.address();
    const gpu::Buffer counts = h.buffer(std::vector<uint32_t>{s.n_columns, 0, 0, 0});
    const gpu::Buffer x_buffer = h.buffer(x), bias_buffer = h.buffer(bias), residual_buffer = h.buffer(residual);
    const gpu::Buffer y = h.buffer(uint64_t{4} * s.n_columns * s.n_out);
    const kernels::Linear op{.weight = w.weight,
                             .n_out = s.n_out,
                             .n_columns = s.n_columns,
                             .x_stride = s.n_cols,
                             .y_stride = s.n_out,
                             .bias = flags.bias ? bias_buffer.address() : 0,
                             .has_residual = flags.residual,
                             .is_glu = flags.glu};
    CHECK(OpHarness::shaders_of(op, policy).back().starts_with(shader));
    h.run(op, {&counts, &x_buffer, flags.residual ? &residual_buffer : &y, &y}, policy);
    const auto got = h.read<float>(y, uint64_t{s.n_columns} * s.n_out);
    return nmse(got, reference(w, x, bias, residual, factors, s, flags));
}

void check(format::TensorType type, const Shape& s, const Flags& flags, const kernels::Policy& policy,
           const char* shader, double limit) {
    const double error = error_of(type, s, flags, policy, shader);
    INFO(std::string(format::to_string(type)), " ", s.n_out, "x", s.n_cols, " columns ", s.n_columns, " bias ",
         flags.bias, " residual ", flags.residual, " glu ", flags.glu, " ", std::string(shader));
    CHECK(error < limit);
}

// Rows: one, a partial strip, a strip, many and odd. K: one block, an odd number of blocks. Columns around the buckets.
constexpr Shape kShapes[] = {{1, 32, 1},     {5, 96, 2},   {16, 64, 1},  {33, 160, 3},  {48, 32, 4},
                             {70, 224, 5},   {64, 96, 8},  {129, 64, 9}, {40, 2080, 1}, {40, 416, 12},
                             {100, 512, 17}, {96, 64, 33}, {130, 96, 65}};
/// K of super-blocks; the rest as above, but less of it.
constexpr Shape kWideShapes[] = {{1, 256, 1}, {33, 512, 1}, {70, 768, 5}, {129, 256, 9}, {130, 512, 65}};
constexpr Shape kGluShapes[] = {{16, 32, 1}, {48, 96, 3}, {80, 64, 9}, {112, 160, 33}};

} // namespace

TEST_CASE("mat-vec in f32, every weight type") {
    for (const auto type : kTypes) {
        for (const Shape& s : kShapes) {
            const auto policy = harness().policy(CoopmatMode::off, ActivationMode::f32);
            check(type, s, {}, policy, "matvec", 1e-11);
            check(type, s, {.bias = true, .residual = true}, policy, "matvec", 1e-11);
        }
        for (const Shape& s : kGluShapes)
            check(type, s, {.glu = true}, harness().policy(CoopmatMode::off, ActivationMode::f32), "matvec", 1e-11);
    }
}

TEST_CASE("mat-vec in f32 of super-blocks and codebooks") {
    const auto policy = harness().policy(CoopmatMode::off, ActivationMode::f32);
    for (const auto type : kWideTypes) {
        for (const Shape& s : kWideShapes) {
            const bool has_bias = s.n_columns > 1; // not every pair: each is a pipeline
            check(type, s, {.bias = has_bias, .residual = has_bias, .row_scales = has_bias}, policy, "matvec", 1e-11);
        }
        check(type, {48, 256, 1}, {.glu = true}, policy, "matvec", 1e-11);
    }
}

TEST_CASE("mat-vec with every split of K, rows per lane and number of columns a lane keeps") {
    const uint32_t max_splits =
        std::min(8u, harness().capabilities().max_group_invocations / harness().policy().subgroup_size);
    for (uint32_t splits = 1; splits <= max_splits; splits *= 2) {
        for (const uint32_t rows : {1u, 2u}) {
            for (const uint32_t columns : {1u, 2u, 4u, 8u}) {
                kernels::Policy policy = harness().policy(CoopmatMode::off, ActivationMode::f32);
                policy.matvec_splits = policy.matvec_wide_splits = splits;
                policy.matvec_rows_per_lane = policy.matvec_wide_rows_per_lane = rows;
                policy.matvec_max_columns = columns;
                for (const Shape& s : {Shape{33, 160, 5}, Shape{70, 1056, 1}})
                    check(format::TensorType::q4_0, s, {.residual = true}, policy, "matvec", 1e-11);
                check(format::TensorType::q8_0, {48, 96, 3}, {.glu = true}, policy, "matvec", 1e-11);
            }
        }
    }
}

TEST_CASE("mat-vec of 9 to 32 columns and of a prefill, each weight once for up to 32 of them") {
    using enum format::TensorType;
    const bool has_int8 = harness().capabilities().integer_dot_product;
    for (const auto act : {ActivationMode::f32, ActivationMode::q8}) {
        if (act == ActivationMode::q8 && !has_int8) continue;
        const double tolerance = act == ActivationMode::q8 ? 2e-4 : 1e-11;
        kernels::Policy policy = harness().policy(CoopmatMode::off, act);
        policy.matvec_max_columns = 32; // 16 on a CPU
        for (const uint32_t n : {9u, 16u, 17u, 32u, 33u, 70u}) {
            check(q4_0, {70, 1056, n}, {.bias = true, .residual = true}, policy, "matvec", tolerance);
            check(q8_0, {48, 96, n}, {.glu = true}, policy, "matvec", 4 * tolerance);
            if (n % 2 == 0) check(q6_k, {33, 512, n}, {}, policy, "matvec", tolerance);
        }
        for (const uint32_t splits : {1u, 2u, 4u}) {
            // lavapipe takes the barriers of a subgroup for ones of the workgroup, whose subgroups have unlike many.
            if (policy.is_cpu && act == ActivationMode::q8 && splits > 1) continue;
            for (const uint32_t rows : {1u, 2u}) {
                for (const uint32_t columns : {8u, 16u, 32u}) {
                    policy.matvec_splits = policy.matvec_wide_splits = splits;
                    policy.matvec_wide_rows_per_lane = rows;
                    policy.matvec_max_columns = columns;
                    check(q4_0, {97, 288, 29}, {.residual = true}, policy, "matvec", tolerance);
                }
            }
        }
    }
}

TEST_CASE("mat-vec with int8 activations") {
    if (!harness().capabilities().integer_dot_product) {
        skip("no integer dot product");
        return;
    }
    using enum format::TensorType;
    for (const auto type : {q8_0, q4_0, q4_k, iq1_s, iq2_xxs, iq3_xxs, iq3_s}) {
        const bool is_wide = format::traits(type).block_elements > 32;
        const auto policy = harness().policy(CoopmatMode::off, ActivationMode::q8);
        // A single sum may cancel, and its error is then large beside it: wide types start at many rows.
        for (const Shape& s : is_wide ? std::span<const Shape>(kWideShapes).subspan(1) : kShapes)
            check(type, s, {.bias = true, .residual = true}, policy, "matvec", 2e-4);
        if (is_wide) continue;
        for (const Shape& s : kGluShapes) check(type, s, {.glu = true}, policy, "matvec", 8e-4);
    }
}

TEST_CASE("GEMM on cooperative matrices, every weight type") {
    if (!harness().capabilities().cooperative_matrix) {
        skip("no cooperative matrices");
        return;
    }
    for (const auto type : kTypes) {
        const auto policy = harness().policy(CoopmatMode::on, ActivationMode::f16);
        for (const Shape& s : kShapes) {
            if (!policy.uses_gemm(s.n_columns)) continue;
            check(type, s, {}, policy, "gemm_coopmat", 1e-6);
            check(type, s, {.bias = true, .residual = true}, policy, "gemm_coopmat", 1e-6);
        }
        for (const Shape& s : kGluShapes) {
            if (policy.uses_gemm(s.n_columns)) check(type, s, {.glu = true}, policy, "gemm_coopmat", 4e-6);
        }
    }
}

TEST_CASE("GEMM on cooperative matrices of super-blocks and codebooks") {
    if (!harness().capabilities().cooperative_matrix) {
        skip("no cooperative matrices");
        return;
    }
    const auto policy = harness().policy(CoopmatMode::on, ActivationMode::f16);
    for (const auto type : kWideTypes) {
        check(type, {70, 768, 5}, {.bias = true, .residual = true, .row_scales = true}, policy, "gemm_coopmat", 1e-6);
        check(type, {130, 512, 65}, {.bias = true, .residual = true}, policy, "gemm_coopmat", 1e-6);
        check(type, {112, 256, 33}, {.glu = true}, policy, "gemm_coopmat", 4e-6);
    }
}

TEST_CASE("GEMM with f16 operands: what it makes of the same numbers in f32, to the bit") {
    if (!harness().capabilities().cooperative_matrix) {
        skip("no cooperative matrices");
        return;
    }
    OpHarness& h = harness();
    const auto policy = h.policy(CoopmatMode::on, ActivationMode::f16);
    for (const Shape& s : {Shape{40, 416, 12}, {70, 96, 29}, {96, 64, 33}, {130, 96, 65}, {48, 2080, 130}}) {
        if (!policy.uses_gemm(s.n_columns)) continue;
        for (const bool glu : {false, true}) {
            if (glu && s.n_out % 16 != 0) continue;
            INFO(s.n_out, "x", s.n_cols, " columns ", s.n_columns, " glu ", glu);
            const TestWeight w = h.weight(format::TensorType::q8_0, s.n_out * (glu ? 2 : 1), s.n_cols, 1);
            const std::vector<float> x = random_floats(uint64_t{s.n_columns} * s.n_cols, 2);
            const size_t n = uint64_t{s.n_columns} * s.n_out;
            const gpu::Buffer counts = h.buffer(std::vector<uint32_t>{s.n_columns, 0, 0, 0});
            const gpu::Buffer x_buffer = h.buffer(x), half_x = h.buffer(rounded_to_halves(x));
            const gpu::Buffer y = h.buffer(4 * n), half_y = h.buffer(4 * n);
            kernels::Linear op{.weight = w.weight,
                               .n_out = s.n_out,
                               .n_columns = s.n_columns,
                               .x_stride = s.n_cols,
                               .y_stride = s.n_out,
                               .is_glu = glu};
            h.run(op, {&counts, &x_buffer, &y, &y}, policy);
            op.x_is_half = true;
            op.y_is_half = glu; // the others are never read as f16 alone
            h.run(op, {&counts, &half_x, &half_y, &half_y}, policy);
            const auto expected = h.read<float>(y, n);
            if (glu) {
                CHECK(h.read<uint16_t>(half_y, n) == rounded_to_halves(expected));
            } else {
                CHECK(h.read<float>(half_y, n) == expected);
            }
        }
    }
}

// What variants_test.cpp counts on: each variant of the kernels above, once or twice, where the cases before had a
// choice of types.
TEST_CASE("every weight type through every kind of product" * doctest::test_suite("every variant")) {
    for (const kernels::WeightLayout& layout : kernels::all_weight_layouts()) {
        const uint32_t k = 2 * layout.tile_elements;
        const bool scaled = layout.type == format::TensorType::nvfp4;
        const auto plain = harness().policy(CoopmatMode::off, ActivationMode::f32);
        check(layout.type, {33, k, 3}, {.bias = true, .row_scales = scaled}, plain, "matvec", 1e-11);
        check(layout.type, {48, k, 1}, {.glu = true}, plain, "matvec", 1e-11);
        if (layout.has_int8 && harness().capabilities().integer_dot_product) {
            const auto int8 = harness().policy(CoopmatMode::off, ActivationMode::q8);
            check(layout.type, {70, k, 5}, {.residual = true}, int8, "matvec", 2e-4);
        }
        if (harness().capabilities().cooperative_matrix) {
            const auto matrix = harness().policy(CoopmatMode::on, ActivationMode::f16);
            check(layout.type, {70, k, 35}, {.residual = true}, matrix, "gemm_coopmat", 1e-6);
        }
    }
}

TEST_CASE("repacked weights decode to the exact values of the CPU reference") {
    OpHarness& h = harness();
    std::vector<std::pair<format::TensorType, Shape>> cases;
    for (const auto type : kTypes) cases.push_back({type, {1, 32, 0}});
    for (const kernels::WeightLayout& layout : kernels::all_weight_layouts())
        cases.push_back({layout.type, {37, layout.tile_elements == 32 ? 96 : 2 * layout.tile_elements, 0}});
    for (const auto& [type, s] : cases) {
        const TestWeight w = h.weight(type, s.n_out, s.n_cols, 9);
        CHECK(h.dequantise(w) == w.values);
        const gpu::Buffer counts = h.buffer(std::vector<uint32_t>{s.n_out, 0, 0, 0});
        std::vector<uint32_t> tokens(s.n_out * 4);
        for (uint32_t i = 0; i < s.n_out; ++i) tokens[4 * i] = s.n_out - 1 - i;
        const gpu::Buffer token_buffer = h.buffer(tokens);
        const gpu::Buffer y = h.buffer(uint64_t{4} * s.n_out * s.n_cols);
        h.run(kernels::Embed{w.weight, s.n_out, s.n_cols}, {&counts, &token_buffer, &y}, h.policy());
        const auto got = h.read<float>(y, uint64_t{s.n_out} * s.n_cols);
        int wrong = 0;
        for (uint32_t i = 0; i < s.n_out; ++i) {
            for (uint32_t k = 0; k < s.n_cols; ++k)
                wrong += got[i * s.n_cols + k] != w.values[(s.n_out - 1 - i) * s.n_cols + k];
        }
        INFO(format::to_string(type));
        CHECK(wrong == 0);
    }
}

// The tests above are worth what they would find.
TEST_CASE("planted faults: two nibbles swapped, and the other chip's lane map") {
    const auto swap_nibbles = [](TestWeight& w) {
        auto codes = harness().read<uint8_t>(w.buffer, 16);
        // A byte whose nibbles differ, of the first granule.
        const auto at = std::ranges::find_if(codes, [](uint8_t byte) { return byte >> 4 != (byte & 15); });
        REQUIRE(at != codes.end());
        *at = static_cast<uint8_t>(*at << 4 | *at >> 4);
        harness().write(w.buffer, std::as_bytes(std::span(codes)));
    };
    const Shape few{33, 160, 3}, many{70, 96, 65};
    const auto plain = harness().policy(CoopmatMode::off, ActivationMode::f32);
    CHECK(error_of(format::TensorType::q4_0, few, {}, plain, "matvec") < 1e-11);
    CHECK(error_of(format::TensorType::q4_0, few, {}, plain, "matvec", swap_nibbles) > 1e-7);

    if (!harness().capabilities().cooperative_matrix) return;
    auto matrix = harness().policy(CoopmatMode::on, ActivationMode::f16);
    CHECK(error_of(format::TensorType::q4_0, many, {}, matrix, "gemm_coopmat") < 1e-6);
    CHECK(error_of(format::TensorType::q4_0, many, {}, matrix, "gemm_coopmat", swap_nibbles) > 3e-6);
    if (!matrix.fragments.is_known()) return;
    OpHarness::take_rig_faults();
    matrix.fragments = other_chips(matrix.fragments);
    const double error = error_of(format::TensorType::q4_0, many, {}, matrix, "gemm_coopmat");
    // On RDNA3 the copies of an operand differ too, which the rig reports.
    const bool is_found = OpHarness::take_rig_faults() > 0 || error > 1e-2;
    CHECK(is_found);
}
