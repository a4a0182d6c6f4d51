// The whole engine on RADV through the no-op device: every pipeline of every architecture compiles for the chip, without
// spills or scratch, with matrix instructions where the chip has them; plans record and submit. Nothing executes there
// (buffers read back as zeros), so results are not looked at.
#include "gpu/device.h"
#include "runtime/shader_report.h"
#include "runtime/vulkan_runner.h"
#include "support/support.h"
#include "benchmarks/synthetic_model.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>

using namespace vkinfer;

namespace {

/// A small model whose heads and widths are those of real ones.
std::filesystem::path model(const std::string& architecture, format::TensorType type, uint32_t head_size) {
    benchmarks::SyntheticOptions options;
    options.architecture = architecture;
    options.n_layers = 2;
    options.n_heads = 8;
    options.n_kv_heads = 2;
    options.head_size = head_size;
    options.n_embd = 8 * head_size;
    options.n_ff = 1024;
    options.n_vocab = 1024;
    options.type = options.output_type = type;
    const auto path = std::filesystem::temp_directory_path() /
                      (std::string("vkinfer_radv_") + (std::getenv("AMDGPU_GPU_ID") ? std::getenv("AMDGPU_GPU_ID") : "cpu") + ".gguf");
    benchmarks::write_synthetic_model(path, options);
    return path;
}

void check_model(const std::string& architecture, format::TensorType type, uint32_t head_size, const char* coopmat, const char* act,
                 format::TensorType type_k, format::TensorType type_v) {
    INFO(architecture, " ", format::to_string(type), " heads of ", head_size, " coopmat ", std::string(coopmat), " act ",
         std::string(act), " K ", format::to_string(type_k), " V ", format::to_string(type_v));
    runtime::RunnerOptions options;
    options.model = model(architecture, type, head_size);
    options.n_ctx = 1024;
    options.max_sequences = 4;
    options.n_ubatch = 512;
    options.type_k = type_k;
    options.type_v = type_v;
    options.coopmat = coopmat;
    options.act = act;
    options.capture_statistics = true;
    options.pipeline_cache = false;
    options.validation = VKINFER_VALIDATION;
    options.log = Log(stderr_sink(), LogLevel::warning);
    const auto runner = runtime::create_vulkan_runner(options);
    std::filesystem::remove(options.model);
    const bool has_wmma = runner->device().capabilities().cooperative_matrix;
    bool saw_coopmat = false;
    for (const runtime::ShaderReportRow& row : runtime::report_shaders(*runner)) {
        INFO(row.pipeline);
        CHECK(row.vgprs > 0);
        CHECK(row.spills == 0);
        CHECK(row.scratch_bytes == 0);
        if (row.is_coopmat) CHECK(row.wmma > 0);
        saw_coopmat = saw_coopmat || row.is_coopmat;
    }
    CHECK(saw_coopmat == (has_wmma && std::string_view(coopmat) != "off"));

    REQUIRE(runner->reserve(0, 600));
    std::vector<runtime::StepToken> prompt;
    for (int32_t i = 0; i < 512; ++i) prompt.push_back({i % 1000, i, 0, i == 511});
    CHECK(runner->evaluate(prompt).has_value());
    const runtime::StepToken next{1, 512, 0, true};
    CHECK(runner->evaluate({&next, 1}).has_value());
    CHECK(runner->validation_messages() == 0);
}

} // namespace

TEST_CASE("llama with f16 and quantised weights") {
    using enum format::TensorType;
    check_model("llama", q4_0, 128, "auto", "auto", f16, f16);
    check_model("llama", q8_0, 64, "auto", "auto", q8_0, q4_0);
    check_model("llama", f16, 128, "off", "auto", f16, f16);
    check_model("llama", bf16, 64, "auto", "auto", q4_0, f16);
}

TEST_CASE("qwen2 and qwen3") {
    using enum format::TensorType;
    check_model("qwen2", f32, 64, "auto", "auto", f16, q8_0);
    check_model("qwen3", q4_0, 128, "auto", "auto", q4_0, q4_0);
}

TEST_CASE("int8 activations use packed dot products") {
    using enum format::TensorType;
    check_model("qwen3", q4_0, 128, "off", "q8", f16, f16);
    check_model("llama", q8_0, 64, "off", "q8", f32, f32);
}
