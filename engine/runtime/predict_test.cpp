#include "runtime/predict.h"

#include "base/error.h"
#include "kernels/shader_library.h"
#include "runtime/kernel_counts.h"
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

TEST_CASE("counted kernels are kernels of the manifest, and the table has what models need") {
    for (const KernelCounts& row : kernel_counts()) {
        INFO(std::string(row.chip), " ", std::string(row.name));
        const std::string_view shader = row.name.substr(0, row.name.find(' '));
        CHECK(kernels::find_shader(shader) != nullptr); // else: ninja -C build kernel-counts
        CHECK(row.simd > 0);
        CHECK(row.wave >= row.simd * 0.99); // a wave alone needs no less than its own work
        CHECK(row.group_waves >= 1);
        CHECK(row.occupancy >= 1);
        CHECK(row.occupancy <= 16);
    }
    for (const char* chip : {"gfx1201", "navi31", "strix1"}) {
        INFO(std::string(chip));
        for (const char* type : {"q4_0", "q8_0", "q4_k", "q6_k", "mxfp4", "f16"}) {
            INFO(std::string(type));
            const KernelCounts* gemm = find_kernel_counts(chip, false, std::string("gemm_coopmat.") + type);
            REQUIRE(gemm != nullptr);
            CHECK(gemm->name.ends_with(type));
            // 8192 flops a matrix product of 16 or 32 clocks: 1.95 or 3.9 clocks per thousand.
            const double products = std::string_view(chip) == "gfx1201" ? 1.95 : 3.9;
            CHECK(gemm->simd > products);
            CHECK(gemm->simd < 4 * products);
            CHECK(find_kernel_counts(chip, true, std::string("matvec.") + type + ".f32")->simd > gemm->simd);
            for (const char* rows : {"16", "32", "64"}) {
                const std::string name = std::string("expert_gemm.") + type + " " + rows;
                const KernelCounts* experts = find_kernel_counts(chip, false, name);
                REQUIRE(experts != nullptr);
                CHECK(experts->name.starts_with("expert_gemm."));
                CHECK(experts->name.ends_with(std::string(" ") + rows));
                CHECK(experts->simd > products);
            }
            const std::string down = std::string("expert_down_one.") + type + ".f32";
            CHECK(find_kernel_counts(chip, true, down)->name.starts_with("expert_down_one."));
        }
        CHECK(find_kernel_counts(chip, false, "matvec.f32.f32")->name == "matvec.f32.f32"); // routers
        CHECK(find_kernel_counts(chip, false, "expert_gemm.q5_1 32")->name.ends_with(" 32"));
        CHECK(find_kernel_counts(chip, false, "gemm_coopmat.q5_1") != nullptr); // not counted: the costliest
        CHECK(find_kernel_counts(chip, true, "matvec.q4_0.f16")->name.starts_with("matvec.q4_0")); // or of that type
        CHECK(find_kernel_counts(chip, true, "attention_decode q8_0") != nullptr);
        CHECK(find_kernel_counts(chip, true, "rms_norm") == nullptr);
    }
    CHECK(find_kernel_counts("navi21", true, "matvec.q4_0.f32") == nullptr);
}

TEST_CASE("an estimate follows the plan: longer steps cost more, decoding is limited by memory") {
    VKINFER_REQUIRE_GOLDEN(golden);
    const auto profile = memory::read_profile(test::source_dir() / "tests" / "profiles" / "r9700-32.json");
    const DeviceRates rates = device_rates(profile);
    for (const char* name : {"qwen3", "qwen3moe", "llama-q4_k_m"}) { // the last with V in another type
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
        // Models this small are bound by memory or by latency.
        for (const auto& [label, op] : one.ops) {
            INFO(label);
            CHECK((op.bound == Bound::memory || op.bound == Bound::latency || op.bound == Bound::rate));
        }
        CHECK(deep.bytes > one.bytes);
        CHECK(deep.step_ns() > one.step_ns());
        CHECK(many.step_ns() > one.step_ns());
        CHECK(many.step_ns() < 64 * one.step_ns());
        const StepEstimate prompt = predict_prompt(planned, rates, 100);
        CHECK(prompt.n_tokens == 100);
        CHECK(prompt.step_ns() > many.step_ns());
        // The sums by op are those of the step, and every op names what bounds it.
        double ns = 0;
        for (const auto& [label, op] : prompt.ops) ns += op.ns;
        CHECK(ns == doctest::Approx(prompt.memory_ns + prompt.arithmetic_ns));
    }
}
