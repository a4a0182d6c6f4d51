#include "graph/submit_budget.h"

#include "format/tensor_type.h"
#include "kernels/ops.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <numeric>

using namespace vkinfer;
using namespace vkinfer::graph;

namespace {

std::vector<Group> groups_of(std::span<const double> piece_ns, double budget_ns) {
    std::vector<Group> groups;
    group_pieces(piece_ns, budget_ns, groups);
    return groups;
}

/// A device that takes the time its rates say.
struct DeviceModel {
    double bytes_per_second;
    double flops_per_second;
    double attention_slowness;

    double ns(const Cost& cost) const {
        const double work = std::max(static_cast<double>(cost.bytes) / bytes_per_second,
                                     static_cast<double>(cost.flops) / flops_per_second) *
                            1e9;
        return 3000 + work * (cost.kind == WorkKind::attention ? attention_slowness : 1.0);
    }
    double ns(std::span<const Cost> costs) const {
        double sum = 0;
        for (const Cost& cost : costs) sum += ns(cost);
        return sum;
    }
};

constexpr DeviceModel kStrixHalo{215e9, 25e12, 2.5};
constexpr DeviceModel kVega{30e9, 0.6e12, 4.0};
constexpr DeviceModel kR9700{560e9, 90e12, 3.0};

/// A prompt of 512 tokens at the end of n_keys, through 64 layers of a dense 32B.
std::vector<Cost> prefill(uint64_t n_keys) {
    std::vector<Cost> costs;
    for (int layer = 0; layer < 64; ++layer) {
        for (const uint64_t weights : {60'000'000, 24'000'000, 300'000'000, 150'000'000}) {
            costs.push_back({.bytes = weights / 2 + 512 * 40'000, .flops = 2 * 512 * weights});
        }
        costs.push_back(
            {.kind = WorkKind::attention, .bytes = 8 * n_keys * 1024 * 4, .flops = 512 * n_keys * 4 * 40 * 128});
    }
    return costs;
}

/// Submits all of it in groups and learns; returns the longest true time of a submission.
double run(const DeviceModel& device, RateModel& rates, std::span<const Cost> costs, double budget_ns) {
    std::vector<double> estimates;
    for (const Cost& cost : costs) estimates.push_back(rates.estimate_ns(cost));
    double longest = 0;
    for (const Group& group : groups_of(estimates, budget_ns)) {
        const auto part = costs.subspan(group.first, group.last - group.first);
        longest = std::max(longest, device.ns(part));
        rates.learn(part, device.ns(part));
    }
    return longest;
}

} // namespace

TEST_CASE("pieces are grouped up to the budget and in order") {
    const std::vector<double> ns = {100, 100, 100, 250, 20, 300, 10};
    CHECK(groups_of(ns, 300) == std::vector<Group>{{0, 3, 300}, {3, 5, 270}, {5, 6, 300}, {6, 7, 10}});
    CHECK(groups_of(ns, 0) == std::vector<Group>{{0, 7, 880}});
    CHECK(groups_of(ns, 5).size() == ns.size()); // a piece beyond the budget stands alone
    CHECK(cut_pieces(ns, 300) == std::vector<uint32_t>{3, 5, 6, 7});
    CHECK(groups_of({}, 300).empty());
}

TEST_CASE("submissions stay below the watchdog from the first one on, at any depth, on slow and fast devices") {
    constexpr double kBudget = 250e6;
    constexpr double kWatchdog = 2e9;
    for (const auto& [device, units] : {std::pair{kStrixHalo, 40u}, std::pair{kVega, 8u}, std::pair{kR9700, 64u}}) {
        CAPTURE(device.bytes_per_second);
        RateModel rates(units);
        for (const uint64_t n_keys : {512u, 4096u, 32768u, 131072u}) {
            const std::vector<Cost> costs = prefill(n_keys);
            const double single =
                device.ns(*std::ranges::max_element(costs, {}, [&](const Cost& c) { return device.ns(c); }));
            for (int repeat = 0; repeat < 4; ++repeat) {
                const double longest = run(device, rates, costs, kBudget);
                // One dispatch cannot be cut here; steps of fewer tokens make it shorter.
                CHECK(longest < std::max(kWatchdog / 2, single * 1.01));
            }
            // What was learned is near the truth and on its safe side.
            const double estimated = std::transform_reduce(costs.begin(), costs.end(), 0.0, std::plus<>(),
                                                           [&](const Cost& c) { return rates.estimate_ns(c); });
            CHECK(estimated > 0.7 * device.ns(costs));
            CHECK(estimated < 2.5 * device.ns(costs));
        }
    }
}

TEST_CASE("a fast device ends with few submissions") {
    RateModel rates(64);
    const std::vector<Cost> costs = prefill(512);
    for (int i = 0; i < 20; ++i) run(kR9700, rates, costs, 250e6);
    std::vector<double> estimates;
    for (const Cost& cost : costs) estimates.push_back(rates.estimate_ns(cost));
    const auto true_groups = static_cast<size_t>(kR9700.ns(costs) / 250e6) + 1;
    CHECK(groups_of(estimates, 250e6).size() <= 2 * true_groups);
}

TEST_CASE("one long attention is recognised, and half the tokens are half of it") {
    RateModel rates(8);
    for (int i = 0; i < 8; ++i) run(kVega, rates, prefill(8192), 250e6);
    const auto attention = [](uint64_t n_tokens) {
        return Cost{.kind = WorkKind::attention, .bytes = 1, .flops = n_tokens * 131072 * 4 * 40 * 128};
    };
    CHECK(rates.estimate_ns(attention(512)) > 250e6);
    CHECK(rates.estimate_ns(attention(256)) == doctest::Approx(rates.estimate_ns(attention(512)) / 2).epsilon(0.01));
}

TEST_CASE("attention costs what its sequences are long, at most its window") {
    kernels::Attention op;
    op.shape = {.n_heads = 8, .n_kv_heads = 2, .head_size = 64, .page_tokens = 64, .max_pages = 4};
    op.n_tokens = 16;
    op.n_tiles = 8;
    op.rows_per_tile = 8;
    op.q_stride = op.y_stride = 512;
    const kernels::Lowered lowered = kernels::lower(op, kernels::Policy{});
    const kernels::Dispatch& dispatch = lowered.dispatches.front();
    const KvExtent extent{.n_tokens = 16, .n_tiles = 8, .pairs = 16 * 1000, .tile_keys = 8 * 1000};
    const Cost cost = cost_of(dispatch, extent);
    CHECK(cost.kind == WorkKind::attention);
    CHECK(cost.flops == dispatch.flops + uint64_t{16} * 1000 * 4 * 8 * 64);
    CHECK(cost.bytes == dispatch.bytes + uint64_t{8} * 1000 * 2 * (64 * 2 + 64 * 2));
    op.window = 100;
    const Cost windowed = cost_of(kernels::lower(op, kernels::Policy{}).dispatches.front(), extent);
    CHECK(windowed.flops == dispatch.flops + uint64_t{16} * 100 * 4 * 8 * 64);
    CHECK(windowed.bytes < cost.bytes);
}
