#include "graph/arena.h"
#include "graph/graph.h"
#include "graph/hazards.h"
#include "graph/plan.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <random>

using namespace vkinfer;
using namespace vkinfer::graph;

namespace {

/// A small decoder-like graph: norms, gathers and products over one arena.
Graph chain(uint32_t n_layers) {
    Graph g;
    const TensorId counts = g.external("counts", 64);
    const TensorId outputs = g.external("outputs", 64);
    const uint64_t bytes = 4 * 64 * 4;
    TensorId x = g.external("x", bytes);
    for (uint32_t i = 0; i < n_layers; ++i) {
        const TensorId n = g.activation("norm", bytes);
        g.add("norm",
              kernels::RmsNorm{.weight = 4096, .n_rows = 4, .n_cols = 64, .x_stride = 64, .y_stride = 64, .eps = 1e-5f},
              {counts, x, n});
        const TensorId a = g.activation("gate", bytes), b = g.activation("up", bytes);
        g.add("gate", kernels::GatherRows{4, 64, 64, 64}, {counts, outputs, n, a});
        g.add("up", kernels::GatherRows{4, 64, 64, 64}, {counts, outputs, n, b});
        const TensorId y = g.activation("y", bytes);
        g.add("swiglu", kernels::SwiGlu{.n_tokens = 4, .n_cols = 64, .stride = 64}, {counts, a, b, y});
        x = y;
    }
    const TensorId result = g.external("result", bytes);
    g.add("out", kernels::GatherRows{4, 64, 64, 64}, {counts, outputs, x, result});
    return g;
}

kernels::Policy policy() {
    kernels::Policy p;
    p.subgroup_size = 8;
    return p;
}

} // namespace

TEST_CASE("a compiled plan has no hazards, and few barriers") {
    const Plan plan = compile(chain(3), policy());
    CHECK(find_hazards(plan).empty());
    // gate and up share a level: three barriers a layer and one before the output.
    CHECK(plan.n_barriers() == 3 * 3);
}

TEST_CASE("the checker names every barrier that is taken away") {
    const Plan plan = compile(chain(3), policy());
    uint32_t removed = 0;
    for (size_t i = 0; i < plan.dispatches.size(); ++i) {
        if (!plan.dispatches[i].barrier_before) continue;
        Plan broken = plan;
        broken.dispatches[i].barrier_before = false;
        ++removed;
        const auto hazards = find_hazards(broken);
        REQUIRE_FALSE(hazards.empty());
        // Every hazard spans the removed barrier, and at least one ends at the dispatch that it stood before.
        for (const Hazard& hazard : hazards) {
            CHECK(hazard.first < i);
            CHECK(hazard.second >= i);
        }
        CHECK(std::ranges::any_of(hazards, [&](const Hazard& hazard) { return hazard.second == i; }));
        const std::string text = describe(hazards.front(), broken);
        CHECK(text.find("without a barrier") != std::string::npos);
        CHECK(text.find(broken.dispatches[hazards.front().second].label) != std::string::npos);
    }
    CHECK(removed == plan.n_barriers());
}

TEST_CASE("the checker sees write-after-read and write-after-write, and ranges that only touch are no hazard") {
    Plan plan;
    const auto add = [&](uint64_t begin, uint64_t end, bool is_read, bool is_write) {
        PlannedDispatch dispatch;
        dispatch.label = "d" + std::to_string(plan.dispatches.size());
        dispatch.accesses = {{kArena, begin, end, is_read, is_write}};
        plan.dispatches.push_back(std::move(dispatch));
    };
    add(0, 256, true, false);
    add(256, 512, false, true);
    CHECK(find_hazards(plan).empty());
    add(255, 256, false, true); // overwrites what the first reads
    REQUIRE(find_hazards(plan).size() == 1);
    CHECK(describe(find_hazards(plan)[0], plan).starts_with("write after read"));
    add(300, 301, false, true);
    CHECK(find_hazards(plan).size() == 2);
    CHECK(describe(find_hazards(plan)[1], plan).starts_with("write after write"));
    place_barriers(plan);
    CHECK(find_hazards(plan).empty());
}

TEST_CASE("arena blocks that live together never overlap, and memory is reused") {
    std::mt19937 random(1);
    for (int round = 0; round < 50; ++round) {
        std::vector<ArenaBlock> blocks(40);
        uint64_t total = 0;
        for (ArenaBlock& block : blocks) {
            block.size_bytes = 1 + random() % 5000;
            block.first = random() % 30;
            block.last = block.first + random() % 4;
            total += block.size_bytes;
        }
        const uint64_t arena = place_blocks(blocks, 256);
        for (size_t i = 0; i < blocks.size(); ++i) {
            CHECK(blocks[i].offset % 256 == 0);
            CHECK(blocks[i].offset + blocks[i].size_bytes <= arena);
            for (size_t j = 0; j < i; ++j) {
                const bool together = blocks[i].first <= blocks[j].last && blocks[j].first <= blocks[i].last;
                const bool overlap = blocks[i].offset < blocks[j].offset + blocks[j].size_bytes &&
                                     blocks[j].offset < blocks[i].offset + blocks[i].size_bytes;
                CHECK_FALSE((together && overlap));
            }
        }
        CHECK(arena < total);
    }
}

TEST_CASE("activations that only GEMMs read are f16, all others f32") {
    kernels::Policy matrix = policy();
    matrix.coopmat = true;
    const uint32_t n_tokens = 64, width = 64;
    const uint64_t bytes = uint64_t{4} * n_tokens * width;
    const kernels::Weight weight{.type = format::TensorType::f16, .n_rows = width, .n_cols = width};
    const kernels::Linear product{
        .weight = weight, .n_out = width, .n_columns = n_tokens, .x_stride = width, .y_stride = width};
    kernels::Linear exact = product;
    exact.keeps_f32 = true;
    /// Bytes of the normed rows that these products read.
    const auto bytes_of = [&](const std::vector<kernels::Linear>& readers, const kernels::Policy& p, bool is_external) {
        Graph g;
        const TensorId counts = g.external("counts", 64), x = g.external("x", bytes);
        const TensorId n = is_external ? g.external("n", bytes) : g.activation("n", bytes);
        g.add("norm", kernels::RmsNorm{.weight = 4096, .n_rows = n_tokens, .n_cols = width}, {counts, x, n});
        for (const kernels::Linear& reader : readers) {
            const TensorId y = g.external("y", bytes);
            g.add("product", reader, {counts, n, y, y});
        }
        const Plan plan = compile(g, p);
        CHECK(find_hazards(plan).empty());
        return plan.dispatches[0].bindings.back().size;
    };
    CHECK(bytes_of({product}, matrix, false) == bytes / 2);
    CHECK(bytes_of({product, product}, matrix, false) == bytes / 2);
    CHECK(bytes_of({product, exact}, matrix, false) == bytes);
    CHECK(bytes_of({exact}, matrix, false) == bytes);
    CHECK(bytes_of({product}, matrix, true) == bytes);
    CHECK(bytes_of({product}, policy(), false) == bytes);
}
