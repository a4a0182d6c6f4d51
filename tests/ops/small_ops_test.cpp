// Norms, gathers and activation functions against float64; and what the counters of a step must stop.
#include "ops/harness.h"

#include <cmath>
#include <doctest/doctest.h>

using namespace vkinfer;
using namespace vkinfer::test;

TEST_CASE("rms_norm over odd widths and rows") {
    OpHarness& h = harness();
    for (const uint32_t n_cols : {4u, 36u, 128u, 1000u, 4096u}) {
        for (const uint32_t n_rows : {1u, 3u}) {
            const std::vector<float> x = random_floats(uint64_t{n_rows} * n_cols, 1, 3.0f),
                                     w = random_floats(n_cols, 2);
            const gpu::Buffer counts = h.buffer(std::vector<uint32_t>{n_rows, 0, 0, 0});
            const gpu::Buffer x_buffer = h.buffer(x), w_buffer = h.buffer(w),
                              y = h.buffer(uint64_t{4} * n_rows * n_cols);
            kernels::RmsNorm op{.weight = w_buffer.address(),
                                .n_rows = n_rows,
                                .n_cols = n_cols,
                                .x_stride = n_cols,
                                .y_stride = n_cols,
                                .eps = 1e-5f};
            h.run(op, {&counts, &x_buffer, &y}, h.policy());
            std::vector<double> expected;
            for (uint32_t r = 0; r < n_rows; ++r) {
                double sum = 0;
                for (uint32_t i = 0; i < n_cols; ++i) sum += double{x[r * n_cols + i]} * x[r * n_cols + i];
                const double scale = 1.0 / std::sqrt(sum / n_cols + 1e-5);
                for (uint32_t i = 0; i < n_cols; ++i) expected.push_back(x[r * n_cols + i] * scale * w[i]);
            }
            INFO(n_rows, " x ", n_cols);
            const auto got = h.read<float>(y, expected.size());
            CHECK(nmse(got, expected) < 1e-12);

            op.y_is_half = true;
            const gpu::Buffer halves = h.buffer(uint64_t{2} * n_rows * n_cols);
            h.run(op, {&counts, &x_buffer, &halves}, h.policy());
            CHECK(h.read<uint16_t>(halves, got.size()) == rounded_to_halves(got));
        }
    }
}

TEST_CASE("gather_rows copies the wanted rows in order") {
    OpHarness& h = harness();
    const uint32_t n_cols = 36;
    const std::vector<float> x = random_floats(7 * n_cols, 1);
    const std::vector<uint32_t> rows{6, 0, 3};
    const gpu::Buffer counts = h.buffer(std::vector<uint32_t>{7, 3, 0, 0});
    const gpu::Buffer x_buffer = h.buffer(x), row_buffer = h.buffer(rows), y = h.buffer(uint64_t{4} * 4 * n_cols);
    h.run(kernels::GatherRows{4, n_cols, n_cols, n_cols}, {&counts, &row_buffer, &x_buffer, &y}, h.policy());
    const auto got = h.read<float>(y, 4 * n_cols);
    for (uint32_t o = 0; o < 3; ++o)
        for (uint32_t i = 0; i < n_cols; ++i) CHECK(got[o * n_cols + i] == x[rows[o] * n_cols + i]);
    CHECK(std::isnan(got[3 * n_cols])); // beyond the counter nothing is written
}

TEST_CASE("swiglu") {
    OpHarness& h = harness();
    const uint32_t n_cols = 100, n_tokens = 3;
    const std::vector<float> gate = random_floats(n_cols * n_tokens, 1, 4.0f), up = random_floats(n_cols * n_tokens, 2);
    const gpu::Buffer counts = h.buffer(std::vector<uint32_t>{n_tokens, 0, 0, 0});
    const gpu::Buffer gate_buffer = h.buffer(gate), up_buffer = h.buffer(up),
                      y = h.buffer(uint64_t{4} * n_cols * n_tokens);
    kernels::SwiGlu op{.n_tokens = n_tokens, .n_cols = n_cols, .stride = n_cols};
    h.run(op, {&counts, &gate_buffer, &up_buffer, &y}, h.policy());
    std::vector<double> expected;
    for (size_t i = 0; i < gate.size(); ++i) expected.push_back(gate[i] / (1.0 + std::exp(-double{gate[i]})) * up[i]);
    const auto got = h.read<float>(y, expected.size());
    CHECK(nmse(got, expected) < 1e-12);

    // Gate and up in the same rows, as one product leaves them.
    std::vector<float> both;
    for (uint32_t t = 0; t < n_tokens; ++t) {
        for (const auto* part : {&gate, &up})
            both.insert(both.end(), &(*part)[t * n_cols], &(*part)[t * n_cols] + n_cols);
    }
    const gpu::Buffer both_buffer = h.buffer(both), joined = h.buffer(uint64_t{4} * n_cols * n_tokens);
    h.run(kernels::SwiGlu{.n_tokens = n_tokens, .n_cols = n_cols, .stride = 2 * n_cols, .up_at = n_cols},
          {&counts, &both_buffer, &both_buffer, &joined}, h.policy());
    CHECK(h.read<float>(joined, expected.size()) == got);

    op.y_is_half = true;
    const gpu::Buffer halves = h.buffer(uint64_t{2} * n_cols * n_tokens);
    h.run(op, {&counts, &gate_buffer, &up_buffer, &halves}, h.policy());
    CHECK(h.read<uint16_t>(halves, got.size()) == rounded_to_halves(got));
}

TEST_CASE("no validation messages so far") {
    CHECK(harness().validation_messages() == 0);
}
