// How many dispatches a layer takes in files as they are found: V, the shared expert and single matrices in finer types
// than the rest. engine/models/models_test.cpp counts those of one type.
#include "benchmarks/synthetic_model.h"
#include "format/gguf_file.h"
#include "graph/hazards.h"
#include "models/architecture.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <string>
#include <vector>

using namespace vkinfer;
using benchmarks::SyntheticOptions;
using format::TensorType;
using models::StepShape;

namespace {

/// A model of two layers, of which the second is routed where there are experts.
SyntheticOptions model(const char* architecture, std::vector<benchmarks::TypeRule> rules) {
    SyntheticOptions options{.architecture = architecture,
                             .n_layers = 2,
                             .n_embd = 256,
                             .n_ff = 256,
                             .n_heads = 4,
                             .n_kv_heads = 2,
                             .n_vocab = 512,
                             .type = TensorType::q4_k,
                             .output_type = TensorType::q6_k,
                             .type_rules = std::move(rules)};
    if (std::string_view(architecture) != "llama") options.n_experts = 8;
    return options;
}

/// Dispatches of a step of `n_layers` layers of the file.
size_t dispatches(const format::GgufFile& file, const StepShape& shape, const kernels::Policy& policy,
                  uint32_t n_layers) {
    const models::Architecture& architecture = models::find_architecture(file.get_string("general.architecture"));
    models::ModelConfig config = architecture.read(file);
    models::LoadedModel weights;
    constexpr uint64_t kAddress = 1 << 20;
    for (const models::TensorNeed& need : architecture.tensors(config, file)) {
        uint32_t n_rows = 0;
        for (const auto& source : need.sources) n_rows += source.n_rows;
        if (need.kind == models::TensorNeed::Kind::matrix) {
            weights.matrices[need.key] = {file.tensor(need.sources[0].name).type, n_rows, need.n_cols, kAddress,
                                          kAddress};
        } else {
            weights.vectors[need.key] = kAddress;
        }
    }
    config.n_layers = n_layers;
    models::KvConfig kv;
    kv.layers.resize(n_layers, {kAddress, kAddress});
    kv.layer_bytes = 4096;
    const graph::Plan plan = graph::compile(architecture.build({config, weights, kv, shape}), policy);
    CHECK(graph::find_hazards(plan).empty());
    return plan.dispatches.size();
}

} // namespace

TEST_CASE(
    "a layer of mixed types takes few dispatches in steps of up to 32 tokens: 6 of a dense model, 8 with experts") {
    struct Case {
        const char* architecture;
        std::vector<benchmarks::TypeRule> rules;
        size_t more; ///< than a layer of one type
    };
    const benchmarks::TypeRule v{"attn_v", TensorType::q6_k}, k{"attn_k", TensorType::q5_k},
        shared{"shexp.weight", TensorType::q8_0}, shared_down{"ffn_down_shexp", TensorType::q6_k},
        down{"ffn_down", TensorType::q6_k}, gate_exps{"gate_exps", TensorType::q5_k},
        gate_shared{"gate_shexp", TensorType::q8_0};
    const Case cases[] = {{"llama", {}, 0},
                          {"llama", {v, down}, 0},
                          {"llama", {{"attn_q", TensorType::q6_k}}, 0},
                          {"llama", {k}, 0},
                          {"llama", {k, v, down}, 0},
                          {"llama", {{"ffn_up", TensorType::q5_k}}, 1},
                          {"llama", {k, v, {"ffn_gate", TensorType::q5_0}}, 1},
                          {"qwen3moe", {v, down}, 0},
                          {"qwen3moe", {k, v, gate_exps}, 0},
                          {"glm4moe", {}, 0},
                          {"glm4moe", {down}, 0},
                          {"glm4moe", {shared}, 1},
                          {"glm4moe", {v, shared}, 1},
                          {"glm4moe", {k, v, shared, {"ffn_down_shexp", TensorType::q5_1}}, 1},
                          {"qwen2moe", {shared_down}, 1},
                          {"qwen2moe", {{"gate_shexp", TensorType::f32}, {"up_shexp", TensorType::f32}}, 1},
                          {"glm4moe", {gate_exps}, 1},
                          {"glm4moe", {shared, gate_exps}, 1},
                          {"glm4moe", {gate_shared}, 1},
                          {"qwen2moe", {gate_shared, gate_exps}, 1},
                          {"glm4moe", {k, v, shared_down, gate_shared, gate_exps}, 1}};
    // Mat-vecs up to 32 columns, and GEMMs that decode into registers from 9 on.
    kernels::Policy matvecs, gemms;
    gemms.coopmat = true;
    gemms.fragments = {.k_groups = 2};
    const auto path = std::filesystem::temp_directory_path() / "vkinfer_layer_dispatches.gguf";
    for (const Case& c : cases) {
        benchmarks::write_synthetic_model(path, model(c.architecture, c.rules));
        const format::GgufFile file(path);
        const bool is_routed = std::string_view(c.architecture) != "llama";
        for (const kernels::Policy& policy : {matvecs, gemms}) {
            for (const StepShape& shape : {StepShape{1, 1, 1, 1, 8, true, true},
                                           {8, 8, 8, 1, 1, true, true},
                                           {32, 32, 32, 1, 8, true, true},
                                           {2, 1, 1, 2, 8, true, false},
                                           {32, 1, 8, 4, 1, true, false}}) {
                const size_t n = dispatches(file, shape, policy, 2) - dispatches(file, shape, policy, 1);
                INFO(c.architecture, ", ", c.rules.size(), " rules, tokens ", shape.n_tokens, " decode ",
                     shape.is_decode, " gemm ", policy.coopmat);
                CHECK(n == (is_routed ? 6u : 5u) + !shape.is_decode + c.more);
                if (shape.is_decode || is_routed) CHECK(n <= (is_routed ? 8u : 6u));
            }
        }
    }
    std::filesystem::remove(path);
}
