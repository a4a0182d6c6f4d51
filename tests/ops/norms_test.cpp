// Norms folded into the ops around them (kernels::NormedRows): makers write rows times weights and sums of squares,
// takers divide by the root of their mean. Each side against float64, makers and takers apart, so that neither hides
// the other.
#include "ops/harness.h"
#include "support/support.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <doctest/doctest.h>
#include <format>
#include <span>
#include <string>
#include <vector>

using namespace vkinfer;
using namespace vkinfer::test;
using kernels::ActivationMode;
using kernels::CoopmatMode;
using kernels::NormedRows;

namespace {

constexpr float kEps = 1e-5f;

kernels::Policy matvec_policy(ActivationMode act = ActivationMode::f32) {
    return harness().policy(CoopmatMode::off, act);
}

/// Those of the products that fold norms on this device, with a bound of their NMSE.
struct Folding {
    std::string name;
    kernels::Policy policy;
    double limit;
};

std::vector<Folding> foldings() {
    std::vector<Folding> all{{"mat-vec, f32", matvec_policy(), 1e-11}};
    if (harness().capabilities().integer_dot_product)
        all.push_back({"mat-vec, q8", matvec_policy(ActivationMode::q8), 8e-4});
    if (kernels::Policy policy = harness().policy(); policy.gemm_folds_norms()) {
        policy.direct_min_columns = 1;
        all.push_back({"GEMM", policy, 1e-6});
    }
    return all;
}

/// Rows x and their NormedRows as a maker would leave them, with the sum of squares dealt out over all parts.
struct Rows {
    std::vector<float> x, weight;
    gpu::Buffer normed;
    uint32_t n_cols;

    Rows(uint32_t n_rows, uint32_t n_cols_, const kernels::Policy& policy, uint32_t seed, float largest = 3.0f)
        : x(random_floats(uint64_t{n_rows} * n_cols_, seed, largest)), weight(random_floats(n_cols_, seed + 1)),
          n_cols(n_cols_) {
        const uint32_t n_parts = NormedRows::n_parts(n_cols, policy);
        const double n_shares = n_parts * (n_parts + 1.0) / 2;
        std::vector<float> values(NormedRows::bytes(n_rows, n_cols) / 4, NAN);
        for (uint32_t t = 0; t < n_rows; ++t) {
            double sum = 0;
            for (uint32_t i = 0; i < n_cols; ++i) {
                const float v = x[uint64_t{t} * n_cols + i];
                values[uint64_t{t} * n_cols + i] = v * weight[i];
                sum += double{v} * v;
            }
            for (uint32_t p = 0; p < n_parts; ++p) // 1 : 2 : 3 : ...
                values[uint64_t{n_rows} * n_cols + uint64_t{t} * n_parts + p] =
                    static_cast<float>(sum * (p + 1) / n_shares);
        }
        normed = harness().buffer(values);
    }

    /// (rows, n_cols), normalised.
    std::vector<double> values(uint32_t n_rows) const {
        std::vector<double> result;
        for (uint32_t t = 0; t < n_rows; ++t) {
            double sum = 0;
            for (uint32_t k = 0; k < n_cols; ++k) sum += double{x[t * n_cols + k]} * x[t * n_cols + k];
            for (uint32_t k = 0; k < n_cols; ++k)
                result.push_back(x[t * n_cols + k] * double{weight[k]} / std::sqrt(sum / n_cols + kEps));
        }
        return result;
    }
};

/// x W^T: (n_rows, n_out).
template<typename T>
std::vector<double> products(const TestWeight& w, const std::vector<T>& x, uint32_t n_rows, uint32_t n_out,
                             uint32_t n_cols) {
    std::vector<double> result;
    for (uint32_t t = 0; t < n_rows; ++t) {
        for (uint32_t r = 0; r < n_out; ++r) {
            double value = 0;
            for (uint32_t k = 0; k < n_cols; ++k)
                value += double{w.values[uint64_t{r} * n_cols + k]} * x[uint64_t{t} * n_cols + k];
            result.push_back(value);
        }
    }
    return result;
}

/// Whether `normed` holds y * weight and, in any split, the sums of y^2.
void check_made(const gpu::Buffer& normed, const std::vector<float>& y, const std::vector<float>& weight,
                uint32_t n_live, uint32_t n_rows, uint32_t n_cols, const kernels::Policy& policy) {
    const uint32_t n_parts = NormedRows::n_parts(n_cols, policy);
    const auto got = harness().read<float>(normed, NormedRows::bytes(n_rows, n_cols) / 4);
    for (uint32_t t = 0; t < n_live; ++t) {
        double expected = 0, sum = 0;
        int wrong = 0;
        for (uint32_t i = 0; i < n_cols; ++i) {
            const float v = y[uint64_t{t} * n_cols + i];
            wrong += std::abs(got[uint64_t{t} * n_cols + i] - v * weight[i]) > 1e-6f * std::abs(v * weight[i]);
            expected += double{v} * v;
        }
        for (uint32_t p = 0; p < n_parts; ++p) sum += got[uint64_t{n_rows} * n_cols + uint64_t{t} * n_parts + p];
        CHECK(wrong == 0);
        CHECK(sum == doctest::Approx(expected).epsilon(1e-5));
    }
}

} // namespace

TEST_CASE("products take rows whose norm is folded in") {
    OpHarness& h = harness();
    for (const auto& [name, policy, limit] : foldings()) {
        for (const auto& [n_out, n_cols, n_columns] :
             {std::array{33u, 160u, 1u}, std::array{16u, 32u, 3u}, std::array{70u, 1056u, 9u},
              std::array{48u, 2080u, 17u}, std::array{80u, 4640u, 32u}}) {
            for (const bool glu : {false, true}) {
                if (glu && n_out % 16 != 0) continue;
                for (const bool gathers : {false, true}) {
                    INFO(n_out, " x ", n_cols, " columns ", n_columns, " glu ", glu, " gathers ", gathers, ", ", name);
                    const uint32_t x_rows = gathers ? n_columns + 3 : n_columns;
                    const Rows rows(x_rows, n_cols, policy, 31);
                    const TestWeight w = h.weight(format::TensorType::q4_0, n_out * (glu ? 2 : 1), n_cols, 5);
                    const std::vector<float> bias = random_floats(n_out, 6);
                    const gpu::Buffer bias_buffer = h.buffer(bias);
                    std::vector<uint32_t> outputs(n_columns);
                    for (uint32_t t = 0; t < n_columns; ++t) outputs[t] = gathers ? x_rows - 1 - t : t;
                    const gpu::Buffer output_buffer = h.buffer(outputs);
                    const gpu::Buffer counts = h.buffer(std::vector<uint32_t>{x_rows, n_columns, 0, 0});
                    const gpu::Buffer y = h.buffer(uint64_t{4} * n_columns * n_out);
                    const kernels::Linear op{.weight = w.weight,
                                             .n_out = n_out,
                                             .n_columns = n_columns,
                                             .x_stride = n_cols,
                                             .y_stride = n_out,
                                             .bias = glu ? 0 : bias_buffer.address(),
                                             .is_glu = glu,
                                             .columns = kernels::RowCount::outputs,
                                             .x_is_normed = true,
                                             .eps = kEps,
                                             .x_rows = x_rows,
                                             .gathers = gathers};
                    std::vector<const gpu::Buffer*> operands{&counts, &rows.normed, &y, &y};
                    if (gathers) operands.push_back(&output_buffer);
                    h.run(op, operands, policy);
                    const std::vector<double> x = rows.values(x_rows);
                    std::vector<double> expected;
                    for (uint32_t t = 0; t < n_columns; ++t) {
                        for (uint32_t r = 0; r < n_out; ++r) {
                            double value = 0, up = 0;
                            for (uint32_t k = 0; k < n_cols; ++k) {
                                const double v = x[uint64_t{outputs[t]} * n_cols + k];
                                value += w.values[uint64_t{r} * n_cols + k] * v;
                                if (glu) up += w.values[uint64_t{r + n_out} * n_cols + k] * v;
                            }
                            expected.push_back(glu ? value / (1 + std::exp(-value)) * up : value + bias[r]);
                        }
                    }
                    const auto got = h.read<float>(y, expected.size());
                    CHECK(nmse(got, expected) < limit);
                }
            }
        }
    }
}

namespace {

/// Matrices of these types one above the other, with a bias, behind a norm or as they are: one product.
void check_mixed(const std::vector<format::TensorType>& types, const std::vector<uint32_t>& n_rows, uint32_t n_cols,
                 uint32_t n_columns, bool is_normed, const Folding& folding) {
    OpHarness& h = harness();
    const kernels::Policy& policy = folding.policy;
    const uint32_t n_live = n_columns > 2 ? n_columns - 2 : n_columns;
    const Rows rows(n_columns, n_cols, policy, 41);
    const gpu::Buffer plain = h.buffer(rows.x);
    const std::vector<double> x =
        is_normed ? rows.values(n_columns) : std::vector<double>(rows.x.begin(), rows.x.end());
    std::vector<TestWeight> parts;
    std::vector<std::vector<double>> expected_parts;
    uint32_t n_out = 0;
    std::string name = folding.name;
    for (size_t i = 0; i < types.size(); ++i) {
        name += std::format(", {} x {}", n_rows[i], format::to_string(types[i]));
        parts.push_back(h.weight(types[i], n_rows[i], n_cols, 50 + static_cast<uint32_t>(i)));
        expected_parts.push_back(products(parts.back(), x, n_live, n_rows[i], n_cols));
        n_out += n_rows[i];
    }
    INFO(name, " columns ", n_columns, " normed ", is_normed);
    const std::vector<float> bias = random_floats(n_out, 42);
    const gpu::Buffer bias_buffer = h.buffer(bias), counts = h.buffer(std::vector<uint32_t>{n_live, 0, 0, 0});
    const gpu::Buffer y = h.buffer(uint64_t{4} * n_columns * n_out);
    kernels::Linear op{.weight = parts[0].weight,
                       .n_out = n_out,
                       .n_columns = n_columns,
                       .x_stride = n_cols,
                       .y_stride = n_out,
                       .bias = bias_buffer.address(),
                       .x_is_normed = is_normed,
                       .eps = kEps};
    for (size_t i = 1; i < parts.size(); ++i) op.below.at(i - 1) = parts[i].weight;
    REQUIRE(kernels::lower(op, policy).dispatches.size() == 1);
    h.run(op, {&counts, is_normed ? &rows.normed : &plain, &y, &y}, policy);
    const auto got = h.read<float>(y, uint64_t{n_columns} * n_out);
    uint32_t first = 0;
    for (size_t i = 0; i < parts.size(); ++i) { // each for itself: a large one would hide a small one
        std::vector<double> expected;
        std::vector<float> made;
        for (uint32_t t = 0; t < n_live; ++t) {
            for (uint32_t r = 0; r < n_rows[i]; ++r) {
                expected.push_back(expected_parts[i][uint64_t{t} * n_rows[i] + r] + bias[first + r]);
                made.push_back(got[uint64_t{t} * n_out + first + r]);
            }
        }
        INFO("part ", i);
        CHECK(nmse(made, expected) < folding.limit);
        first += n_rows[i];
    }
    if (n_live < n_columns) CHECK(std::isnan(got[uint64_t{n_live} * n_out])); // beyond the counter nothing is written
}

} // namespace

TEST_CASE("matrices of different types are one product") {
    using enum format::TensorType;
    for (const Folding& folding : foldings()) {
        for (const uint32_t n_columns : {1u, 5u, 20u, 32u}) {
            check_mixed({q4_k, q6_k}, {96, 48}, 512, n_columns, true, folding);
            check_mixed({q8_0, q4_0, q8_0}, {80, 16, 33}, 224, n_columns, n_columns % 2 == 0, folding); // K alone
        }
        check_mixed({q4_0, q5_0, f16}, {33, 16, 70}, 96, 9, true, folding); // no part is whole workgroups
        check_mixed({f32, f32, q8_0}, {16, 16, 16}, 32, 3, false, folding);
    }
}

TEST_CASE("every weight type as a part of a product" * doctest::test_suite("every variant")) {
    const auto layouts = kernels::all_weight_layouts();
    for (const Folding& folding : foldings()) {
        for (size_t i = 0; i < layouts.size(); ++i) {
            const auto type = [&](size_t part) { return layouts[(i + part * 7) % layouts.size()].type; };
            check_mixed({type(0), type(1), type(2)}, {48, 16, 33}, 512, i % 2 == 0 ? 3 : 18, i % 2 == 0, folding);
        }
    }
}

TEST_CASE("products write what the norm after them needs") {
    OpHarness& h = harness();
    std::vector<Folding> makers;
    const uint32_t max_splits = std::min(8u, h.capabilities().max_group_invocations / h.policy().subgroup_size);
    for (uint32_t splits = 1; splits <= max_splits; splits *= 2) {
        for (const uint32_t rows_per_lane : {1u, 2u}) {
            kernels::Policy policy = matvec_policy();
            policy.matvec_splits = splits;
            policy.matvec_rows_per_lane = rows_per_lane;
            makers.push_back({std::format("splits {} rows {}", splits, rows_per_lane), policy, 1e-11});
            policy = h.policy();
            policy.matvec_rows_per_lane = rows_per_lane;
            policy.direct_min_columns = 1;
            if (splits == 1 && policy.gemm_folds_norms())
                makers.push_back(
                    {std::format("GEMM, parts of {} rows", policy.matvec_lanes * rows_per_lane), policy, 1e-6});
        }
    }
    for (const auto& [name, policy, limit] : makers) {
        for (const auto& [n_out, n_cols, n_columns] : {std::array{32u, 64u, 1u}, std::array{96u, 160u, 3u},
                                                       std::array{160u, 96u, 11u}, std::array{288u, 96u, 29u}}) {
            INFO(n_out, " x ", n_cols, " columns ", n_columns, ", ", name);
            const uint32_t n_live = n_columns > 1 ? n_columns - 1 : 1;
            const TestWeight w = h.weight(format::TensorType::q8_0, n_out, n_cols, 5);
            const std::vector<float> weight = random_floats(n_out, 7),
                                     x = random_floats(uint64_t{n_columns} * n_cols, 8),
                                     added = random_floats(uint64_t{n_columns} * n_out, 9);
            const gpu::Buffer weight_buffer = h.buffer(weight);
            const gpu::Buffer x_buffer = h.buffer(x), residual = h.buffer(added);
            const gpu::Buffer counts = h.buffer(std::vector<uint32_t>{n_live, 0, 0, 0});
            const gpu::Buffer y = h.buffer(uint64_t{4} * n_columns * n_out);
            const gpu::Buffer normed = h.buffer(NormedRows::bytes(n_columns, n_out));
            const kernels::Linear op{.weight = w.weight,
                                     .n_out = n_out,
                                     .n_columns = n_columns,
                                     .x_stride = n_cols,
                                     .y_stride = n_out,
                                     .has_residual = true,
                                     .next_norm = weight_buffer.address()};
            h.run(op, {&counts, &x_buffer, &residual, &y, &normed}, policy);
            const auto made = h.read<float>(y, uint64_t{n_columns} * n_out);
            check_made(normed, made, weight, n_live, n_columns, n_out, policy);
            std::vector<double> expected = products(w, x, n_live, n_out, n_cols);
            for (size_t i = 0; i < expected.size(); ++i) expected[i] += added[i];
            CHECK(nmse(std::span(made).first(expected.size()), expected) < limit);
        }
    }
}

TEST_CASE("rows that f16 could not hold are normalised before they are rounded") {
    OpHarness& h = harness();
    const uint32_t n_out = 64, n_cols = 256, n_columns = 12;
    for (const auto& [name, policy, limit] : foldings()) {
        INFO(name);
        Rows rows(n_columns, n_cols, policy, 3, 3e5f);
        const TestWeight w = h.weight(format::TensorType::q8_0, n_out, n_cols, 5);
        const gpu::Buffer counts = h.buffer(std::vector<uint32_t>{n_columns, 0, 0, 0});
        const gpu::Buffer y = h.buffer(uint64_t{4} * n_columns * n_out);
        const kernels::Linear op{.weight = w.weight,
                                 .n_out = n_out,
                                 .n_columns = n_columns,
                                 .x_stride = n_cols,
                                 .y_stride = n_out,
                                 .x_is_normed = true,
                                 .eps = kEps};
        h.run(op, {&counts, &rows.normed, &y, &y}, policy);
        const std::vector<double> expected = products(w, rows.values(n_columns), n_columns, n_out, n_cols);
        CHECK(nmse(h.read<float>(y, expected.size()), expected) < limit);
    }
}

TEST_CASE("embeddings write what the first norm needs") {
    OpHarness& h = harness();
    for (const uint32_t n_cols : {32u, 160u, 2080u}) {
        INFO("columns ", n_cols);
        const kernels::Policy policy = matvec_policy();
        const TestWeight w = h.weight(format::TensorType::q8_0, 7, n_cols, 5);
        const std::vector<float> weight = random_floats(n_cols, 7);
        const gpu::Buffer weight_buffer = h.buffer(weight);
        const gpu::Buffer counts = h.buffer(std::vector<uint32_t>{3, 0, 0, 0});
        const gpu::Buffer tokens = h.buffer(std::vector<uint32_t>{6, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
        const gpu::Buffer y = h.buffer(uint64_t{4} * 4 * n_cols), normed = h.buffer(NormedRows::bytes(4, n_cols));
        h.run(kernels::Embed{w.weight, 4, n_cols, weight_buffer.address()}, {&counts, &tokens, &y, &normed}, policy);
        const auto got = h.read<float>(y, uint64_t{4} * n_cols);
        CHECK(got[0] == w.values[6 * n_cols]);
        check_made(normed, got, weight, 3, 4, n_cols, policy);
    }
}

TEST_CASE("experts take and make rows whose norm is folded in") {
    OpHarness& h = harness();
    for (const uint32_t n_tokens : {1u, 2u, 12u}) {
        INFO("tokens ", n_tokens);
        const kernels::Policy policy = matvec_policy();
        const uint32_t n_experts = 4, n_used = 2, d = 96, n_ff = 64;
        const kernels::ExpertShape shape{
            .n_tokens = n_tokens, .n_experts = n_experts, .n_used = n_used, .n_embd = d, .n_ff = n_ff};
        const gpu::Buffer counts = h.buffer(std::vector<uint32_t>{n_tokens, 0, 0, 0});
        const gpu::Buffer logits = h.buffer(random_floats(uint64_t{n_tokens} * n_experts, 3));
        const gpu::Buffer choices = h.buffer(shape.choices_bytes()), tiles = h.buffer(shape.tiles_bytes()),
                          slots = h.buffer(shape.slots_bytes());
        h.run(kernels::ExpertRoute{.shape = shape, .logits_stride = n_experts, .normalises = true},
              {&counts, &logits, &choices, &tiles, &slots}, policy);

        const TestWeight in = h.weight(format::TensorType::q4_0, 2 * n_experts * n_ff, d, 11);
        const TestWeight out = h.weight(format::TensorType::q4_0, n_experts * d, n_ff, 12);
        const kernels::ExpertWeight in_weight{
            .weight = in.weight, .expert_strips = n_ff / 16, .up_strips = n_experts * n_ff / 16};
        const kernels::ExpertWeight out_weight{.weight = out.weight, .expert_strips = d / 16};
        const Rows rows(n_tokens, d, policy, 41);
        // The same rows, normalised before.
        const std::vector<double> normalised = rows.values(n_tokens);
        const gpu::Buffer x = h.buffer(std::vector<float>(normalised.begin(), normalised.end()));
        const uint64_t n_hidden = uint64_t{shape.n_slots()} * n_ff;
        const gpu::Buffer folded = h.buffer(4 * n_hidden), plain = h.buffer(4 * n_hidden);
        kernels::ExpertHidden hidden{.shape = shape, .weight = in_weight};
        h.run(hidden, {&counts, &tiles, &slots, &x, &plain}, policy);
        hidden.x_is_normed = true;
        hidden.eps = kEps;
        h.run(hidden, {&counts, &tiles, &slots, &rows.normed, &folded}, policy);
        const auto expected = h.read<float>(plain, n_hidden);
        CHECK(nmse(h.read<float>(folded, n_hidden), std::vector<double>(expected.begin(), expected.end())) < 1e-11);
        // Up as a matrix of its own.
        kernels::ExpertHidden pair = hidden;
        const uint32_t half = n_experts * n_ff;
        pair.weight.weight = kernels::slice_rows(in.weight, 0, half);
        pair.weight.up_strips = 0;
        pair.up = {.weight = kernels::slice_rows(in.weight, half, half), .expert_strips = n_ff / 16};
        const gpu::Buffer apart = h.buffer(4 * n_hidden);
        h.run(pair, {&counts, &tiles, &slots, &rows.normed, &apart}, policy);
        CHECK(nmse(h.read<float>(apart, n_hidden), std::vector<double>(expected.begin(), expected.end())) < 1e-11);

        const std::vector<float> weight = random_floats(d, 7);
        const gpu::Buffer weight_buffer = h.buffer(weight);
        const gpu::Buffer residual = h.buffer(random_floats(uint64_t{n_tokens} * d, 9));
        const gpu::Buffer y = h.buffer(uint64_t{4} * n_tokens * d), again = h.buffer(uint64_t{4} * n_tokens * d);
        const gpu::Buffer normed = h.buffer(NormedRows::bytes(n_tokens, d));
        kernels::ExpertOutput output{.shape = shape, .weight = out_weight};
        h.run(output, {&counts, &choices, &tiles, &slots, &plain, &residual, &residual, &again}, policy);
        output.next_norm = weight_buffer.address();
        h.run(output, {&counts, &choices, &tiles, &slots, &plain, &residual, &residual, &y, &normed}, policy);
        const auto made = h.read<float>(y, uint64_t{n_tokens} * d);
        CHECK(made == h.read<float>(again, uint64_t{n_tokens} * d));
        check_made(normed, made, weight, n_tokens, n_tokens, d, policy);
    }
}
