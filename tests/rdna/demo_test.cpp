// The demo model end to end in the machine code of an emulated chip: the engine's own plans, 16 tokens of prompt and 8
// decoded ones, against the logits of lavapipe. Then faults planted into the running code, which the rig has to find.
#include "rdna/drm_device.h"
#include "runtime/vulkan_runner.h"
#include "support/support.h"

#include <algorithm>
#include <cstdlib>
#include <doctest/doctest.h>
#include <string_view>
#include <vector>

using namespace vkinfer;

namespace {

std::unique_ptr<runtime::VulkanRunner> load(const char* device, bool plain) {
    runtime::RunnerOptions options;
    options.model = test::source_dir() / "tools" / "demo" / "vkinfer-demo.gguf";
    options.device = device;
    options.n_ctx = 64;
    options.n_ubatch = 16;
    options.pipeline_cache = false;
    if (plain) {
        options.type_k = options.type_v = format::TensorType::f32;
        options.coopmat = "off";
        options.act = "f32";
    }
    return runtime::create_vulkan_runner(options);
}

double nmse(std::span<const float> x, std::span<const float> y) {
    double error = 0, power = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        error += (double{x[i]} - y[i]) * (double{x[i]} - y[i]);
        power += double{y[i]} * y[i];
    }
    return error == error ? error / power : 1e9;
}

/// Logits after the prompt, and after each of 8 tokens that the reference chooses.
double worst_difference(runtime::VulkanRunner& rig, runtime::VulkanRunner& reference) {
    std::vector<runtime::StepToken> step;
    for (int32_t i = 0; i < 16; ++i) step.push_back({(i * 37 + 5) % 256, i, 0, i == 15});
    REQUIRE(rig.reserve(0, 24).has_value());
    REQUIRE(reference.reserve(0, 24).has_value());
    double worst = 0;
    for (int32_t n = 16; n <= 24; ++n) {
        const auto expected = reference.evaluate(step);
        const auto got = rig.evaluate(step);
        REQUIRE(expected.has_value());
        REQUIRE(got.has_value());
        worst = std::max(worst, nmse(*got, *expected));
        const auto best = std::ranges::max_element(*expected) - expected->begin();
        step = {{static_cast<int32_t>(best), n, 0, true}};
    }
    return worst;
}

} // namespace

TEST_CASE("the demo model: 16 tokens of prompt and 8 decoded, against lavapipe") {
    rdna::RigApi* api = rdna::find_rig();
    REQUIRE(api != nullptr);
    const auto reference = load("llvmpipe", true);
    {
        const auto rig = load("RADV", true);
        const double difference = worst_difference(*rig, *reference);
        INFO(rig->describe());
        CHECK(difference < 1e-6);
        CHECK(api->n_instructions() > 100000);
        MESSAGE("f32: NMSE ", difference, " after ", api->n_instructions(), " instructions");
    }
    {
        const auto rig = load("RADV", false); // as the engine chooses: f16 cache, matrix instructions
        reference->truncate(0, 0);
        const double difference = worst_difference(*rig, *reference);
        INFO(rig->describe());
        CHECK(difference < 1e-3);
        MESSAGE("as chosen: NMSE ", difference);
    }
    CHECK(api->n_faults() == 0);
}

TEST_CASE("planted faults are found") {
    rdna::RigApi* api = rdna::find_rig();
    REQUIRE(api != nullptr);
    const bool gfx12 = std::string_view(std::getenv("AMDGPU_GPU_ID")).starts_with("gfx12");
    const auto rig = load("RADV", true);
    REQUIRE(rig->reserve(0, 1).has_value());
    const runtime::StepToken token{1, 0, 0, true};
    const auto faults_without = [&](const char* opcode) {
        api->forget_faults();
        api->options().skip = opcode;
        static_cast<void>(rig->evaluate({&token, 1}));
        api->options().skip.clear();
        const uint64_t n = api->n_faults();
        INFO(std::string(opcode), ": ", n, " faults, the last: ", std::string(api->last_fault()));
        CHECK(n > 0);
        api->forget_faults();
    };
    faults_without(gfx12 ? "s_wait_loadcnt" : "s_waitcnt");
    faults_without(gfx12 ? "s_wait_kmcnt" : "s_waitcnt");
    faults_without(gfx12 ? "s_barrier_wait" : "s_barrier");
    CHECK(rig->evaluate({&token, 1}).has_value());
    CHECK(api->n_faults() == 0);
}
