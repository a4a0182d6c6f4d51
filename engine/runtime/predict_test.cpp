#include "runtime/predict.h"

#include "base/error.h"
#include "support/support.h"

#include <doctest/doctest.h>
#include <set>
#include <string>

using namespace vkinfer;
using namespace vkinfer::runtime;

TEST_CASE("every profile of a GPU that the table names finds its row") {
    memory::DeviceProfile profile;
    for (const auto& [device, row] :
         {std::pair{"AMD Radeon Graphics (RADV GFX1151)", "Strix Halo"},
          std::pair{"AMD Radeon AI PRO R9700 (RADV GFX1201)", "Radeon AI PRO R9700"},
          std::pair{"AMD Radeon RX 9070 XT (RADV GFX1201)", "Radeon RX 9070 XT"},
          std::pair{"AMD Radeon RX 7900 XTX (RADV NAVI31)", "Radeon RX 7900 XTX"},
          std::pair{"NVIDIA H200", "NVIDIA H200"}, std::pair{"llvmpipe (LLVM 19.1.7, 256 bits)", "lavapipe"}}) {
        profile.info.name = device;
        CHECK(std::string(device_rates(profile).name) == row);
    }
    profile.info.name = "Voodoo 2";
    CHECK_THROWS_AS(device_rates(profile), Error);
    for (const DeviceRates& rates : known_device_rates()) {
        INFO(rates.name);
        CHECK(rates.bytes > 0);
        CHECK(rates.alu_flops > 0);
        CHECK(rates.weights > 0);
        CHECK(rates.attention_flops > 0);
        CHECK(std::string_view(rates.source).size() > 10);
    }
}

TEST_CASE("an estimate follows the plan: longer steps cost more, decoding is limited by memory") {
    VKINFER_REQUIRE_GOLDEN(golden);
    const auto profile = memory::read_profile(test::source_dir() / "tests" / "profiles" / "r9700-32.json");
    const DeviceRates rates = device_rates(profile);
    for (const char* name : {"qwen3", "qwen3moe"}) {
        INFO(std::string(name));
        EngineOptions options;
        options.model = golden / "models" / name / "model.gguf";
        options.n_ctx = 256;
        options.n_ubatch = 64;
        const PlannedModel planned = plan_model(options, profile);
        const StepEstimate one = predict_step(planned, rates, 1, 0);
        const StepEstimate deep = predict_step(planned, rates, 1, 128);
        const StepEstimate many = predict_step(planned, rates, 64, 0);
        CHECK(one.n_barriers < one.n_dispatches);
        CHECK(one.memory_ns > one.arithmetic_ns);
        CHECK(deep.bytes > one.bytes);
        CHECK(deep.step_ns() > one.step_ns());
        CHECK(many.step_ns() > one.step_ns());
        CHECK(many.step_ns() < 64 * one.step_ns());
        const StepEstimate prompt = predict_prompt(planned, rates, 100);
        CHECK(prompt.n_tokens == 100);
        CHECK(prompt.step_ns() > many.step_ns());
    }
}
