#include "runtime/step_shapes.h"

#include <bit>
#include <doctest/doctest.h>

using namespace vkinfer;
using namespace vkinfer::runtime;

namespace {

constexpr uint32_t kPage = 64;
constexpr uint32_t kLong = 1u << 20; ///< a context with more pages than anybody splits into
constexpr uint32_t kUnits = 32;
constexpr uint32_t kFull = 8 * kUnits; ///< waves that fill the device

/// Four query heads for each of two K/V heads: a token is two waves of attention, unless its keys are split.
models::ModelConfig model() {
    models::ModelConfig config;
    config.n_heads = 8;
    config.n_kv_heads = 2;
    config.head_size = 128;
    config.value_size = 128;
    return config;
}

kernels::Policy plain_gpu() {
    kernels::Policy policy;
    policy.compute_units = kUnits;
    return policy;
}

/// Fragments of cooperative matrices are known: attention of many rows runs on them.
kernels::Policy matrix_gpu() {
    kernels::Policy policy = plain_gpu();
    policy.coopmat = true;
    policy.fragments = {.k_groups = 2};
    return policy;
}

StepShapes shapes_of(const kernels::Policy& policy, const models::ModelConfig& config = model()) {
    return StepShapes(config, policy, {.max_batch = 512, .max_outputs = 64, .max_sequences = 256, .page_tokens = kPage},
                      format::TensorType::f16, format::TensorType::f16);
}

/// Waves of attention in a step whose tiles have one wave each.
uint32_t waves_of(const models::StepShape& shape) {
    return model().n_kv_heads * shape.n_tiles * shape.n_splits;
}

} // namespace

TEST_CASE("splits of a decode follow the context: one a page, until the policy has no more") {
    const StepShapes shapes = shapes_of(plain_gpu());
    CHECK(shapes.decode_shape(1, 1, 1).n_splits == 1);
    CHECK(shapes.decode_shape(1, 1, kPage).n_splits == 1);
    CHECK(shapes.decode_shape(1, 1, kPage + 1).n_splits == 2);
    uint32_t last = 1;
    for (uint32_t pages = 1; pages <= 200; ++pages) {
        const uint32_t n = shapes.decode_shape(1, 1, pages * kPage).n_splits;
        CHECK(std::has_single_bit(n)); // a growing sequence meets few shapes
        CHECK(n >= last);
        CHECK(n < 2 * pages); // pages rounded up
        if (std::has_single_bit(pages) && pages <= kernels::kMaxAttentionSplits) CHECK(n == pages);
        last = n;
    }
    CHECK(last == kernels::kMaxAttentionSplits);
}

TEST_CASE("a decode of any number of sequences fills the device, and half the splits would not") {
    kernels::Policy policy = plain_gpu();
    for (const uint32_t units : {1u, 5u, 16u, 32u, 96u}) {
        policy.compute_units = units;
        const StepShapes shapes = shapes_of(policy);
        for (uint32_t n = 1; n <= 256; n *= 2) {
            const models::StepShape shape = shapes.decode_shape(n, n, kLong);
            CAPTURE(units);
            CAPTURE(n);
            CHECK(std::has_single_bit(shape.n_splits));
            CHECK((waves_of(shape) >= 8 * units || shape.n_splits == policy.attention_max_splits));
            CHECK((waves_of(shape) / 2 < 8 * units || shape.n_splits == 1));
        }
    }
}

TEST_CASE("a full device splits nothing, however long the context is") {
    const StepShapes shapes = shapes_of(plain_gpu());
    const uint32_t n_full = kFull / model().n_kv_heads; // sequences
    CHECK(shapes.decode_shape(n_full / 2, 1, kLong).n_splits == 2);
    CHECK(shapes.decode_shape(n_full, 1, kLong).n_splits == 1);
    CHECK(shapes.decode_shape(2 * n_full, 1, kLong).n_splits == 1);
    CHECK(shapes.shape_for(512, 1, shapes.max_tiles(512), kLong).n_splits == 1);
}

TEST_CASE("the policy bounds the splits, down to none on a CPU") {
    kernels::Policy policy = plain_gpu();
    for (const uint32_t most : {1u, 4u, 16u}) {
        policy.attention_max_splits = most;
        const StepShapes shapes = shapes_of(policy);
        CHECK(shapes.decode_shape(1, 1, kLong).n_splits == most);
        CHECK(shapes.shape_for(8, 1, 1, kLong).n_splits == most);
        for (const models::StepShape& shape : shapes.largest()) CHECK(shape.n_splits <= most);
    }
}

TEST_CASE("heads that need several tiles a token are split less") {
    models::ModelConfig wide = model();
    wide.n_heads = 32; // 16 for a K/V head, two tiles of eight
    wide.head_size = wide.value_size = 64;
    const models::StepShape one = shapes_of(plain_gpu()).decode_shape(4, 4, kLong);
    const models::StepShape two = shapes_of(plain_gpu(), wide).decode_shape(4, 4, kLong);
    REQUIRE(two.n_tiles == 2 * one.n_tiles);
    CHECK(2 * two.n_splits == one.n_splits);
}

TEST_CASE("a tile of matrix attention counts with all its waves") {
    const StepShapes plain = shapes_of(plain_gpu()), matrices = shapes_of(matrix_gpu());
    const uint32_t n_tiles = 8;
    const models::StepShape one_wave = plain.shape_for(64, 1, n_tiles, kLong);
    const models::StepShape four_waves = matrices.shape_for(64, 1, n_tiles, kLong);
    REQUIRE(one_wave.n_tiles == n_tiles);
    REQUIRE(four_waves.n_tiles == n_tiles);
    REQUIRE(four_waves.rows_per_tile == 128); // four waves of 32 rows
    CHECK(waves_of(one_wave) == kFull);
    CHECK(4 * waves_of(four_waves) == kFull);
    // A decode has no matrices, and so the same splits with them and without.
    CHECK(matrices.decode_shape(4, 4, kLong) == plain.decode_shape(4, 4, kLong));
}

TEST_CASE("a long prefill on matrices fills the device by itself, a short one is split") {
    const StepShapes shapes = shapes_of(matrix_gpu());
    const uint32_t full_tiles = kFull / (4 * model().n_kv_heads); // of four waves
    CHECK(shapes.shape_for(512, 1, full_tiles, kLong).n_splits == 1);
    CHECK(shapes.shape_for(64, 1, full_tiles / 8, kLong).n_splits == 8);
    CHECK(shapes.shape_for(64, 1, full_tiles / 8, 3 * kPage).n_splits == 4); // no more than the context has pages
}

TEST_CASE("waves of a tile count as far as a step has rows for them") {
    const StepShapes shapes = shapes_of(matrix_gpu());
    const models::StepShape full = shapes.shape_for(32, 1, 1, kLong), half = shapes.shape_for(16, 1, 1, kLong);
    REQUIRE(full.rows_per_tile == 128); // 32 tokens of four heads
    REQUIRE(half.rows_per_tile == 128);
    CHECK(4 * waves_of(full) == kFull);
    CHECK(2 * waves_of(half) == kFull);
}
