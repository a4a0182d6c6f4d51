// The whole engine on RADV through the no-op device: every pipeline of every architecture compiles for the chip,
// without spills or scratch, with matrix instructions where the chip has them; plans record and submit. Nothing
// executes there (buffers read back as zeros), so results are not looked at.
#include "benchmarks/synthetic_model.h"
#include "gpu/device.h"
#include "gpu/instance.h"
#include "gpu/pipeline.h"
#include "kernels/fragment_map.h"
#include "kernels/ops.h"
#include "kernels/pipeline_store.h"
#include "kernels/policy.h"
#include "kernels/weight_layout.h"
#include "runtime/shader_report.h"
#include "runtime/vulkan_runner.h"
#include "support/support.h"

#include <algorithm>
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <tuple>

using namespace vkinfer;

namespace {

/// Every pipeline has code without spills and scratch, and matrix products where its kernel is made of them.
void check_code(const kernels::PipelineStore& pipelines) {
    pipelines.for_each([](const std::string& name, const kernels::ShaderInfo& shader, const gpu::Pipeline& pipeline) {
        const gpu::PipelineStats stats = pipeline.stats();
        INFO(name);
        CHECK(stats.vgprs.value_or(0) > 0);
        CHECK(stats.spilled_vgprs.value_or(0) + stats.spilled_sgprs.value_or(0) == 0);
        CHECK(stats.scratch_bytes.value_or(0) == 0);
        if (shader.coopmat) CHECK(stats.count_instructions("v_wmma") > 0);
    });
}

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
    options.type = type;
    const auto path = std::filesystem::temp_directory_path() /
                      (std::string("vkinfer_radv_") +
                       (std::getenv("AMDGPU_GPU_ID") ? std::getenv("AMDGPU_GPU_ID") : "cpu") + ".gguf");
    benchmarks::write_synthetic_model(path, options);
    return path;
}

void check_model(const std::string& architecture, format::TensorType type, uint32_t head_size, const char* coopmat,
                 const char* act, format::TensorType type_k, format::TensorType type_v) {
    INFO(architecture, " ", format::to_string(type), " heads of ", head_size, " coopmat ", std::string(coopmat),
         " act ", std::string(act), " K ", format::to_string(type_k), " V ", format::to_string(type_v));
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

/// The policy of the device; its fragments are what the probe would find where commands are executed.
kernels::Policy policy_of(const gpu::Device& device, kernels::CoopmatMode coopmat = kernels::CoopmatMode::automatic,
                          kernels::ActivationMode act = kernels::ActivationMode::automatic) {
    kernels::Policy policy = kernels::choose_policy(device.capabilities(), {coopmat, act});
    policy.fragments = kernels::expected_fragment_map(policy, device.info().name);
    return policy;
}

} // namespace

TEST_CASE("llama with f16 and quantised weights") {
    using enum format::TensorType;
    check_model("llama", q4_0, 128, "auto", "auto", f16, f16);
    check_model("llama", q8_0, 64, "auto", "auto", q8_0, q4_0);
    check_model("llama", f16, 128, "off", "auto", f16, f16);
    check_model("llama", bf16, 64, "auto", "auto", q4_0, f16);
    check_model("llama", q4_0, 64, "auto", "auto", q5_1, iq4_nl);
    check_model("llama", q4_0, 128, "auto", "auto", bf16, q5_0);
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

// Without a model each, whose memory the no-op device never gives back.
TEST_CASE("every weight type compiles without spills or scratch, whatever reads it") {
    gpu::Instance instance;
    gpu::Device device(instance, "", {.capture_statistics = true});
    for (uint32_t id = 0; id < 64; ++id) {
        const format::TypeTraits* traits = format::find_traits(id);
        const kernels::WeightLayout* layout = traits == nullptr ? nullptr : kernels::find_weight_layout(traits->type);
        if (layout == nullptr) continue;
        kernels::PipelineStore pipelines(device);
        for (const char* name : {"repack", "dequantize"}) {
            kernels::Dispatch dispatch;
            dispatch.shader = kernels::find_shader(std::string(name) + "." + layout->shader_name);
            REQUIRE(dispatch.shader != nullptr);
            dispatch.specialization = {64};
            pipelines.get(dispatch);
        }
        const kernels::Weight weight{
            .type = traits->type, .n_rows = 2048, .n_cols = 2048, .codes = 4096, .scales = 8192};
        const auto compile = [&](const kernels::Op& op, kernels::CoopmatMode coopmat, kernels::ActivationMode act) {
            const kernels::Policy policy = policy_of(device, coopmat, act);
            const auto lowered = std::visit([&](const auto& o) { return kernels::lower(o, policy); }, op);
            for (const kernels::Dispatch& dispatch : lowered.dispatches) pipelines.get(dispatch);
        };
        using enum kernels::ActivationMode;
        const auto automatic_coopmat = kernels::CoopmatMode::automatic;
        compile(kernels::Embed{weight, 512, 2048}, automatic_coopmat, automatic);
        // 16 and 32 columns with norms folded in, 2048 for the largest tile.
        for (const uint32_t n : {1u, 4u, 8u, 16u, 32u, 512u, 2048u}) {
            const bool is_skinny = n == 16 || n == 32;
            const kernels::Linear plain{.weight = weight,
                                        .n_out = 2048,
                                        .n_columns = n,
                                        .x_stride = 2048,
                                        .y_stride = 2048,
                                        .has_residual = true,
                                        .next_norm = is_skinny ? uint64_t{4096} : 0};
            kernels::Linear glu = plain;
            glu.n_out = 1024;
            glu.has_residual = false;
            glu.next_norm = 0;
            glu.x_is_normed = is_skinny;
            glu.is_glu = true;
            for (const kernels::Linear& op : {plain, glu}) {
                compile(op, automatic_coopmat, automatic);
                compile(op, kernels::CoopmatMode::off, f32);
                if (layout->has_int8 && device.capabilities().integer_dot_product)
                    compile(op, kernels::CoopmatMode::off, q8);
            }
        }
        // Beside two other types, all over the list.
        const auto layouts = kernels::all_weight_layouts();
        for (const uint32_t n : {1u, 32u}) {
            kernels::Linear mixed{.weight = weight,
                                  .n_out = 3 * 2048,
                                  .n_columns = n,
                                  .x_stride = 2048,
                                  .y_stride = 3 * 2048,
                                  .x_is_normed = true};
            for (uint32_t part = 0; part < 2; ++part) {
                const uint32_t at = kernels::weight_type_number(*layout) + 7 * (part + 1);
                mixed.below[part] = weight;
                mixed.below[part].type = layouts[at % layouts.size()].type;
            }
            compile(mixed, automatic_coopmat, automatic);
            if (n == 1) continue;
            compile(mixed, kernels::CoopmatMode::off, f32);
            if (device.capabilities().integer_dot_product) compile(mixed, kernels::CoopmatMode::off, q8);
        }
        check_code(pipelines);
    }
}

TEST_CASE("attention of large heads and of MLA's compiles without spills or scratch") {
    using enum format::TensorType;
    gpu::Instance instance;
    gpu::Device device(instance, "", {.capture_statistics = true});
    const kernels::Policy policy = policy_of(device);
    for (const format::TensorType type : {f32, f16, q8_0, q5_1, q4_0}) {
        kernels::PipelineStore pipelines(device);
        size_t n_matrix = 0;
        for (const auto& [head_size, value_size, is_latent] :
             {std::tuple{192u, 192u, false}, std::tuple{192u, 128u, false}, std::tuple{256u, 256u, false},
              std::tuple{512u, 512u, false}, std::tuple{576u, 512u, true}}) {
            const kernels::AttentionShape shape{.n_heads = 16,
                                                .n_kv_heads = is_latent ? 1u : 4u,
                                                .head_size = head_size,
                                                .value_size = value_size,
                                                .is_latent = is_latent,
                                                .type_k = type,
                                                .type_v = type,
                                                .max_pages = 8};
            const kernels::RopeStore store{.shape = shape, .n_tokens = 1, .stride = 4096, .n_rot = 64};
            for (const uint32_t n_tokens : {1u, 4u, 512u}) {
                kernels::Attention op{.shape = shape, .n_tokens = n_tokens, .n_tiles = 8, .n_splits = 2};
                op.q_stride = op.y_stride = 16 * 1024;
                op.rows_per_tile = n_tokens == 1 ? kernels::attention_decode_rows(shape, policy)
                                                 : kernels::attention_rows(shape, n_tokens, policy);
                const auto lowered = n_tokens == 1 ? kernels::lower(kernels::AttentionDecode{store, op}, policy)
                                                   : kernels::lower(op, policy);
                for (const kernels::Dispatch& dispatch : lowered.dispatches) pipelines.get(dispatch);
                n_matrix += lowered.dispatches[0].shader->coopmat;
            }
        }
        const size_t expected = type == f32 ? 0 : 5; // halves cannot hold all f32
        CHECK(n_matrix == (policy.fragments.is_known() ? expected : 0));
        check_code(pipelines);
    }
}

TEST_CASE("attention of two sets of rows a wave compiles without spills or scratch") {
    using enum format::TensorType;
    gpu::Instance instance;
    gpu::Device device(instance, "", {.capture_statistics = true});
    const kernels::Policy policy = policy_of(device);
    if (!policy.fragments.is_known()) return;
    kernels::PipelineStore pipelines(device);
    for (const uint32_t head_size : {64u, 80u, 128u}) {
        for (const auto& [k, v] : {std::pair{f16, f16}, std::pair{q8_0, q8_0}, std::pair{q5_1, q5_1},
                                   std::pair{q4_0, q4_0}, std::pair{f16, q4_0}, std::pair{q8_0, f16}}) {
            if (head_size == 80 && (k != f16 || v != f16)) continue; // no number of blocks
            for (const auto& [n_tokens, n_splits] : {std::pair{16u, 8u}, std::pair{4096u, 1u}}) {
                INFO(head_size, " ", std::string(format::to_string(k)), " ", std::string(format::to_string(v)));
                kernels::Attention op{.shape = {.n_heads = 16,
                                                .n_kv_heads = 4,
                                                .head_size = head_size,
                                                .type_k = k,
                                                .type_v = v,
                                                .max_pages = 8},
                                      .n_tokens = n_tokens,
                                      .n_tiles = 8,
                                      .n_splits = n_splits};
                op.q_stride = op.y_stride = 16 * head_size;
                op.rows_per_tile = kernels::attention_rows(op.shape, op.n_tokens, policy);
                CHECK(op.rows_per_tile == 128); // of four waves
                const kernels::Dispatch dispatch = kernels::lower(op, policy).dispatches[0];
                CHECK(dispatch.shader->name == "attention_coopmat");
                pipelines.get(dispatch);
            }
        }
    }
    check_code(pipelines);
}

TEST_CASE("attention on fragments from shared memory compiles without spills or scratch") {
    using enum format::TensorType;
    gpu::Instance instance;
    gpu::Device device(instance, "", {.capture_statistics = true});
    if (!device.capabilities().cooperative_matrix) return;
    const kernels::Policy policy = kernels::choose_policy(device.capabilities(), {}); // fragments not known
    kernels::PipelineStore pipelines(device);
    for (const format::TensorType type : {f16, q8_0, q5_1, q4_0}) {
        for (const auto& [head_size, n_splits] :
             {std::pair{64u, 1u}, std::pair{128u, 1u}, std::pair{128u, 8u}, std::pair{192u, 1u}}) {
            kernels::Attention op{.shape = {.n_heads = 16,
                                            .n_kv_heads = 4,
                                            .head_size = head_size,
                                            .value_size = std::min(head_size, 128u),
                                            .type_k = type,
                                            .type_v = type,
                                            .max_pages = 8},
                                  .n_tokens = 512,
                                  .n_tiles = 8,
                                  .n_splits = n_splits};
            op.q_stride = op.y_stride = 16 * head_size;
            op.rows_per_tile = kernels::attention_rows(op.shape, op.n_tokens, policy);
            const kernels::Dispatch dispatch = kernels::lower(op, policy).dispatches[0];
            CHECK(dispatch.shader->name == "attention_staged");
            const gpu::PipelineStats stats = pipelines.get(dispatch).stats();
            INFO(std::string(format::to_string(type)), " ", head_size);
            CHECK(stats.spilled_vgprs.value_or(0) + stats.spilled_sgprs.value_or(0) == 0);
            CHECK(stats.scratch_bytes.value_or(0) == 0);
            CHECK(stats.count_instructions("v_wmma") > 0);
        }
    }
}

TEST_CASE("the kernels that measure the roofs consist of what they count") {
    gpu::Instance instance;
    gpu::Device device(instance, "", {.capture_statistics = true});
    const gpu::Capabilities& capabilities = device.capabilities();
    kernels::PipelineStore pipelines(device);
    const auto stats_of = [&](const char* shader, std::vector<uint32_t> specialization) {
        kernels::Dispatch dispatch;
        dispatch.shader = kernels::find_shader(shader);
        REQUIRE(dispatch.shader != nullptr);
        dispatch.specialization = std::move(specialization);
        if (dispatch.shader->coopmat) dispatch.subgroup_size = 32;
        const gpu::PipelineStats stats = pipelines.get(dispatch).stats();
        INFO(shader);
        CHECK(stats.spilled_vgprs.value_or(0) + stats.spilled_sgprs.value_or(0) == 0);
        CHECK(stats.scratch_bytes.value_or(0) == 0);
        return stats;
    };
    const gpu::PipelineStats copy = stats_of("roofline_memory", {256, 1});
    CHECK(copy.count_instructions("global_load") == 8);
    CHECK(copy.count_instructions("global_store") == 8);
    CHECK(stats_of("roofline_memory", {256, 0}).count_instructions("global_load") == 8);
    stats_of("roofline_alu.f32", {256});
    if (capabilities.dot_4x8_signed_accelerated) {
        CHECK(stats_of("roofline_alu.dot", {256}).count_instructions("v_dot4") == 16 * 8);
    }
    if (capabilities.cooperative_matrix) {
        CHECK(stats_of("roofline_matrix.f16", {128, 16, 16, 16}).count_instructions("v_wmma") == 16);
        CHECK(stats_of("roofline_matrix.s8", {128, 16, 16, 16}).count_instructions("v_wmma") == 16);
    }
}

TEST_CASE("experts of every weight type compile without spills or scratch, from one token to many") {
    gpu::Instance instance;
    gpu::Device device(instance, "", {.capture_statistics = true});
    for (const kernels::WeightLayout& layout : kernels::all_weight_layouts()) {
        kernels::PipelineStore pipelines(device);
        const auto compile = [&](const kernels::Op& op, kernels::CoopmatMode coopmat, kernels::ActivationMode act) {
            const kernels::Policy policy = policy_of(device, coopmat, act);
            const auto lowered = std::visit([&](const auto& o) { return kernels::lower(o, policy); }, op);
            for (const kernels::Dispatch& dispatch : lowered.dispatches) pipelines.get(dispatch);
        };
        using enum kernels::ActivationMode;
        const bool is_first = &layout == &kernels::all_weight_layouts().front();
        for (const uint32_t n : {1u, 4u, 32u, 512u}) {
            const kernels::ExpertShape shape{
                .n_tokens = n, .n_experts = 128, .n_used = 8, .n_embd = 2048, .n_ff = 768, .has_shared_gate = n == 4};
            kernels::ExpertHidden hidden{.shape = shape, .weight = {.expert_strips = 48, .up_strips = 128 * 48}};
            hidden.weight.weight = {
                .type = layout.type, .n_rows = 2 * 128 * 768, .n_cols = 2048, .codes = 4096, .scales = 8192};
            kernels::ExpertOutput output{.shape = shape, .weight = {.expert_strips = 128}};
            output.weight.weight = {
                .type = layout.type, .n_rows = 128 * 2048, .n_cols = 768, .codes = 4096, .scales = 8192};
            if (n <= 4) output.next_norm = 4096;
            if (n == 4 || n == 512) { // some experts are spilled
                hidden.weight.far = output.weight.far = 4096;
                hidden.weight.n_near = output.weight.n_near = 100;
            }
            if (layout.type == format::TensorType::mxfp4) { // gpt-oss
                hidden.activation = kernels::Activation::clamped_silu;
                hidden.weight.bias = hidden.weight.up_bias = output.weight.bias = 4096;
            }
            // Up beside it in another type, all over the list.
            const auto layouts = kernels::all_weight_layouts();
            const format::TensorType other = layouts[(kernels::weight_type_number(layout) + 7) % layouts.size()].type;
            const auto pair_act = n == 32 && device.capabilities().integer_dot_product ? q8 : f32;
            if (n == 4 || n == 32) {
                kernels::ExpertHidden apart = hidden;
                apart.weight.weight.n_rows /= 2;
                apart.weight.up_strips = 0;
                apart.up = apart.weight;
                apart.up.weight.type = other;
                apart.x_is_normed = n == 32;
                compile(apart, kernels::CoopmatMode::off, pair_act);
            }
            for (const kernels::Op& op : {kernels::Op(hidden), kernels::Op(output)}) {
                compile(op, kernels::CoopmatMode::automatic, automatic);
                compile(op, kernels::CoopmatMode::off, f32);
                if (layout.has_int8 && device.capabilities().integer_dot_product)
                    compile(op, kernels::CoopmatMode::off, q8);
            }
            if (n <= 32) {
                kernels::ExpertRoute route{.shape = shape, .logits_stride = 128};
                route.router = {.type = format::TensorType::f32, .n_rows = 128, .n_cols = 2048, .codes = 4096};
                route.x_is_normed = n != 4;
                route.shared = {.type = layout.type, .n_rows = 2 * 5632, .n_cols = 2048, .codes = 4096, .scales = 8192};
                compile(route, kernels::CoopmatMode::off, f32);
                if (layout.has_int8 && device.capabilities().integer_dot_product)
                    compile(route, kernels::CoopmatMode::off, q8);
                route.shared.n_rows /= 2;
                route.shared_up = route.shared;
                route.shared_up.type = other;
                if (n != 1) compile(route, kernels::CoopmatMode::off, pair_act);
            }
            if (!is_first) continue;
            for (const uint32_t n_experts : {8u, 128u, 512u}) {
                kernels::ExpertRoute route{.shape = shape, .logits_stride = n_experts};
                route.shape.n_experts = n_experts;
                route.shape.n_used = n_experts == 512 ? 22 : n_experts == 8 ? 2 : 8;
                route.gating = n_experts == 8 ? kernels::Gating::softmax_of_selected : kernels::Gating::sigmoid;
                route.selection_bias = n_experts == 512 ? 4096 : 0;
                route.n_groups = n_experts == 512 ? 8 : 1;
                route.n_groups_used = n_experts == 512 ? 4 : 1;
                compile(route, kernels::CoopmatMode::automatic, automatic);
                if (n > 32) continue;
                route.router = {.type = format::TensorType::f32, .n_rows = n_experts, .n_cols = 2048, .codes = 4096};
                route.x_is_normed = true;
                compile(route, kernels::CoopmatMode::automatic, automatic);
            }
        }
        check_code(pipelines);
    }
}
