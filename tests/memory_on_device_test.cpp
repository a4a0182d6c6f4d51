// Planned memory against what a device really holds, loading from files and parts of files, and every allocation, map
// and submission of loading failing once. Runs on lavapipe and on the shim's AMD GPUs.
#include "base/error.h"
#include "benchmarks/synthetic_model.h"
#include "gpu/device.h"
#include "runtime/plan_model.h"
#include "runtime/vulkan_runner.h"
#include "support/support.h"

#include <cmath>
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <unistd.h>

using namespace vkinfer;
using namespace vkinfer::runtime;
using format::TensorType;

namespace {

class Model {
public:
    explicit Model(const benchmarks::SyntheticOptions& options)
        : path_(std::filesystem::temp_directory_path() / ("vkinfer_memory_" + std::to_string(::getpid()) + ".gguf")) {
        benchmarks::write_synthetic_model(path_, options);
    }
    ~Model() { std::filesystem::remove(path_); }
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

benchmarks::SyntheticOptions small() {
    return {.n_layers = 2,
            .n_embd = 256,
            .n_ff = 512,
            .n_heads = 4,
            .n_kv_heads = 2,
            .head_size = 64,
            .n_vocab = 512,
            .context_length = 1024};
}

uint64_t own_bytes(gpu::Device& device) {
    uint64_t sum = 0;
    for (const gpu::HeapInfo& heap : device.heaps()) sum += heap.own_bytes;
    return sum;
}

void check_prediction(const benchmarks::SyntheticOptions& shape, EngineOptions engine) {
    const Model model(shape);
    engine.model = model.path();
    std::unique_ptr<VulkanRunner> runner;
    memory::DeviceProfile before;
    RunnerOptions options;
    options.model = engine.model;
    options.n_ctx = engine.n_ctx;
    options.is_fit = engine.fit.value_or(engine.n_ctx == 0);
    options.n_ubatch = engine.n_ubatch;
    options.max_sequences = engine.n_parallel;
    if (engine.type_k == "q8_0") options.type_k = options.type_v = TensorType::q8_0;
    options.pipeline_cache = false;
    options.on_device = [&](gpu::Device& device) { before = memory::profile_of(device); };
    runner = create_vulkan_runner(options);
    const PlannedModel planned = plan_model(engine, before);
    const auto predicted = static_cast<double>(planned.decision.plan.allocated_bytes());
    runner->warm_up();
    const auto real = static_cast<double>(own_bytes(runner->device()));
    CHECK_MESSAGE(std::abs(real - predicted) <= 0.02 * predicted, "predicted ", predicted, ", real ", real);
    CHECK(planned.decision.n_ctx == runner->limits().n_ctx);
}

/// Loads with the n-th operation of a kind failing, until one load passes; every failure has to be a clean error.
int fail_until_it_loads(const std::filesystem::path& path, gpu::Fault fault) {
    for (uint32_t n = 1; n < 400; ++n) {
        RunnerOptions options;
        options.model = path;
        options.n_ctx = 128;
        options.n_ubatch = 16;
        gpu::Device* device = nullptr;
        options.on_device = [&](gpu::Device& made) {
            device = &made;
            made.inject_fault(fault, n);
        };
        try {
            const auto runner = create_vulkan_runner(options);
            runner->device().inject_fault(fault, 0);
            return static_cast<int>(n);
        } catch (const Error& error) {
            CAPTURE(n);
            CHECK_MESSAGE((error.kind() == ErrorKind::out_of_memory || error.kind() == ErrorKind::device_lost),
                          error.message());
            CHECK_FALSE(error.message().empty());
        }
    }
    FAIL("never loaded");
    return 0;
}

} // namespace

TEST_CASE("what is allocated is what was planned") {
    SUBCASE("large context") {
        check_prediction(small(), {.n_ctx = 8192, .n_ubatch = 64, .n_parallel = 2});
    }
    SUBCASE("large micro-batch, q8_0 cache") {
        check_prediction(small(), {.n_ctx = 512, .n_ubatch = 512, .n_parallel = 4, .type_k = "q8_0", .type_v = "q8_0"});
    }
    SUBCASE("fitted") {
        check_prediction(small(), {.n_ubatch = 32});
    }
    SUBCASE("weights of 150 MB") {
        check_prediction({.n_layers = 4,
                          .n_embd = 1024,
                          .n_ff = 4096,
                          .n_heads = 16,
                          .n_kv_heads = 4,
                          .head_size = 64,
                          .n_vocab = 32000,
                          .type = TensorType::q8_0},
                         {.n_ctx = 1024, .n_ubatch = 32});
    }
}

TEST_CASE("every allocation, map and submission of loading may fail") {
    const Model model(small());
    CHECK(fail_until_it_loads(model.path(), gpu::Fault::allocation) > 5);
    fail_until_it_loads(model.path(), gpu::Fault::map);
    CHECK(fail_until_it_loads(model.path(), gpu::Fault::submit) > 5);
    CHECK(fail_until_it_loads(model.path(), gpu::Fault::device_lost) > 5);
}

TEST_CASE("a failed submission refuses one step and leaves the rest to work; a lost device ends it") {
    const Model model(small());
    RunnerOptions options;
    options.model = model.path();
    options.n_ctx = 128;
    options.n_ubatch = 16;
    const auto runner = create_vulkan_runner(options);
    runner->warm_up();
    REQUIRE(runner->reserve(0, 16));
    const StepToken token{1, 0, 0, true};
    REQUIRE(runner->evaluate({&token, 1}));
    runner->device().inject_fault(gpu::Fault::submit, 1);
    const auto refused = runner->evaluate({&token, 1});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind() == ErrorKind::out_of_memory);
    CHECK(runner->evaluate({&token, 1}));
    runner->device().inject_fault(gpu::Fault::device_lost, 1);
    const auto lost = runner->evaluate({&token, 1});
    REQUIRE_FALSE(lost.has_value());
    CHECK(lost.error().kind() == ErrorKind::device_lost);
    CHECK_FALSE(runner->evaluate({&token, 1}));
}

TEST_CASE("loading reports its progress, and stops when told to") {
    const Model model({.n_layers = 4,
                       .n_embd = 1024,
                       .n_ff = 4096,
                       .n_heads = 16,
                       .n_kv_heads = 4,
                       .head_size = 64,
                       .n_vocab = 32000,
                       .type = TensorType::q8_0});
    RunnerOptions options;
    options.model = model.path();
    options.n_ctx = 128;
    LoadProgress last;
    bool is_monotonic = true;
    options.progress = [&](const LoadProgress& progress) {
        is_monotonic = is_monotonic && progress.done_bytes >= last.done_bytes;
        last = progress;
    };
    REQUIRE(create_vulkan_runner(options));
    CHECK(is_monotonic);
    CHECK(last.done_bytes == last.all_bytes);
    CHECK(last.all_bytes > 100'000'000);
    options.progress = [](const LoadProgress&) { throw Error(ErrorKind::cancelled, "enough"); };
    try {
        (void)create_vulkan_runner(options);
        FAIL("it went on");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::cancelled);
    }
}

TEST_CASE("a step cut into many submissions, and into steps of fewer tokens, gives the same logits") {
    const Model model(small());
    const auto answer = [&](int32_t budget_ms, bool is_long) {
        RunnerOptions options;
        options.model = model.path();
        options.n_ctx = is_long ? 1 << 19 : 256; // the longest sequence decides where a plan may be cut
        options.n_ubatch = 64;
        options.max_logits = 8;
        options.type_k = options.type_v = TensorType::q8_0;
        options.submit_budget_ms = budget_ms;
        const auto runner = create_vulkan_runner(options);
        REQUIRE(runner->reserve(0, 200));
        std::vector<float> all;
        int32_t position = 0;
        for (const int32_t n : {64, 50, 1, 1, 7}) {
            std::vector<StepToken> tokens;
            for (int32_t i = 0; i < n; ++i, ++position)
                tokens.push_back({(position * 7) % 500, position, 0, i % 16 == 0});
            const auto logits = runner->evaluate(tokens);
            REQUIRE(logits.has_value());
            all.insert(all.end(), logits->begin(), logits->end());
        }
        return all;
    };
    const std::vector<float> whole = answer(0, false);
    for (const auto& [budget_ms, is_long] : {std::pair{1, false}, std::pair{1, true}, std::pair{1000, true}}) {
        CAPTURE(budget_ms);
        const std::vector<float> cut = answer(budget_ms, is_long);
        REQUIRE(cut.size() == whole.size());
        double error = 0;
        double size = 0;
        for (size_t i = 0; i < whole.size(); ++i) {
            error += (cut[i] - whole[i]) * (cut[i] - whole[i]);
            size += whole[i] * whole[i];
        }
        CHECK(error <= 1e-6 * size); // kernels for fewer columns add in another order
    }
}
