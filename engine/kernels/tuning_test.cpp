#include "kernels/tuning.h"

#include <algorithm>
#include <doctest/doctest.h>

using namespace vkinfer;
using namespace vkinfer::kernels;

namespace {

Linear product(uint32_t n_columns) {
    Linear op;
    op.weight = {.type = format::TensorType::q4_0, .n_rows = 512, .n_cols = 256};
    op.n_out = 512;
    op.n_columns = n_columns;
    return op;
}

Policy gpu_policy() {
    Policy policy;
    policy.coopmat = true;
    return policy;
}

} // namespace

TEST_CASE("choices serve the nearest number of columns of their shape, and no other shape") {
    const Policy policy = gpu_policy();
    Tuning tuning;
    const auto measured = [&](uint32_t n_columns, uint32_t splits) {
        ProductChoice choice = choice_of(policy, *product_key(product(n_columns)));
        choice.splits = splits;
        tuning.set(*product_key(product(n_columns)), choice);
    };
    measured(1, 8);
    measured(8, 2);
    CHECK(tuning.apply(policy, product(1)).matvec_splits == 8);
    CHECK(tuning.apply(policy, product(3)).matvec_splits == 2);
    CHECK(tuning.apply(policy, product(8)).matvec_splits == 2);
    CHECK(tuning.apply(policy, product(30)).matvec_splits == 2);
    Linear other = product(1);
    other.weight.n_cols = 288;
    CHECK(tuning.apply(policy, other).matvec_splits == policy.matvec_splits);
    other = product(1);
    other.is_glu = true;
    CHECK(tuning.apply(policy, other).matvec_splits == policy.matvec_splits);
    other = product(1);
    other.keeps_f32 = true;
    CHECK(tuning.apply(policy, other).matvec_splits == policy.matvec_splits);
    CHECK(tuning.apply(policy, RmsNorm{}).matvec_splits == policy.matvec_splits);
}

TEST_CASE("what decides the parts of normed rows stays the policy's") {
    const Policy policy = gpu_policy();
    ProductChoice choice = choice_of(policy, *product_key(product(8)));
    choice.rows_per_lane = 2;
    Tuning tuning;
    tuning.set(*product_key(product(8)), choice);
    CHECK(tuning.apply(policy, product(8)).matvec_rows_per_lane == 2);
    Linear reads = product(8), writes = product(8);
    reads.x_is_normed = true;
    writes.next_norm = 4096;
    CHECK(tuning.apply(policy, reads).matvec_rows_per_lane == policy.matvec_rows_per_lane);
    CHECK(tuning.apply(policy, writes).matvec_rows_per_lane == policy.matvec_rows_per_lane);
}

TEST_CASE("candidates begin with the policy's own choice and are all different") {
    const Policy policy = gpu_policy();
    for (const uint32_t n : {1u, 8u, 64u, 512u}) {
        INFO(n);
        const ProductKey key = *product_key(product(n));
        const std::vector<ProductChoice> all = candidates(policy, key);
        REQUIRE(all.size() > 1);
        CHECK(all.front() == choice_of(policy, key));
        for (size_t i = 0; i < all.size(); ++i) CHECK(std::ranges::count(all, all[i]) == 1);
        // A large product is a GEMM, a small one a mat-vec, and in between both are tried.
        CHECK(std::ranges::any_of(all, [](const auto& c) { return c.uses_coopmat != 0; }) == (n > 32));
        CHECK(std::ranges::any_of(all, [](const auto& c) { return c.uses_coopmat == 0; }) == (n <= 128));
        for (const ProductChoice& choice : all) CHECK(choice_of(with_choice(policy, choice), key) == choice);
    }
}

TEST_CASE("a CPU does not share K with int8 activations") {
    Policy policy = gpu_policy();
    policy.is_cpu = true;
    policy.coopmat = false;
    policy.matvec_splits = policy.matvec_wide_splits = 1;
    const ProductKey key = *product_key(product(8));
    const auto shares = [](const ProductChoice& choice) { return choice.splits > 1; };
    CHECK(std::ranges::any_of(candidates(policy, key), shares));
    policy.int8_activations = true;
    CHECK(std::ranges::none_of(candidates(policy, key), shares));
}

TEST_CASE("GEMMs that fold norms are candidates for few columns too") {
    Policy policy = gpu_policy();
    policy.fragments = {.k_groups = 2};
    REQUIRE(policy.gemm_folds_norms());
    const ProductKey key = *product_key(product(8));
    CHECK(std::ranges::any_of(candidates(policy, key), [](const auto& c) { return c.uses_coopmat != 0; }));
    policy.matvec_rows_per_lane = 4; // their workgroups then have no whole parts
    CHECK_FALSE(policy.gemm_folds_norms());
    CHECK(policy.folds_norms(8));
    CHECK_FALSE(policy.folds_norms(16));
}

TEST_CASE("a file of choices reads back, and a broken one is nothing") {
    Tuning tuning;
    tuning.set(*product_key(product(1)), choice_of(gpu_policy(), *product_key(product(1))));
    tuning.set(*product_key(product(64)), choice_of(gpu_policy(), *product_key(product(64))));
    const std::string text = tuning.text();
    const auto read = Tuning::parse(text);
    REQUIRE(read.has_value());
    CHECK(read->text() == text);
    CHECK_FALSE(Tuning::parse("").has_value());
    CHECK_FALSE(Tuning::parse("vkinfer products 9\n").has_value());
    CHECK_FALSE(Tuning::parse(text + "2 512 256\n").has_value());
    CHECK_FALSE(Tuning::parse(text + "2 512 256 0 1  0 3 1 8 64 64 32 32\n").has_value());   // splits
    CHECK_FALSE(Tuning::parse(text + "2 512 256 0 1  0 4 1 8 64 64 128 32\n").has_value());  // waves beyond the tile
    CHECK_FALSE(Tuning::parse(text + "250 512 256 0 1  0 4 1 8 64 64 32 32\n").has_value()); // type
}
