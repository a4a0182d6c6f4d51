#include "benchmarks/synthetic_model.h"

#include "base/error.h"
#include "format/gguf_file.h"
#include "models/architecture.h"

#include <cmath>
#include <doctest/doctest.h>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

using namespace vkinfer;
using namespace vkinfer::benchmarks;

namespace {

std::filesystem::path temporary(const char* name) {
    return std::filesystem::temp_directory_path() / (std::string("vkinfer_synthetic_") + name + ".gguf");
}

const SyntheticOptions kSmall = {.n_layers = 2,
                                 .n_embd = 256,
                                 .n_ff = 512,
                                 .n_heads = 4,
                                 .n_kv_heads = 2,
                                 .n_vocab = 512,
                                 .output_type = format::TensorType::f16};

/// A small model of an architecture, with experts where it needs them.
SyntheticOptions small(std::string_view architecture) {
    SyntheticOptions options = kSmall;
    options.architecture = architecture;
    if (architecture != "llama" && architecture != "qwen2" && architecture != "qwen3") options.n_experts = 4;
    return options;
}

/// Types of the tensors of a model, by name.
std::map<std::string, std::string> types_of(const SyntheticOptions& options) {
    const auto path = temporary("mix");
    write_synthetic_model(path, options);
    std::map<std::string, std::string> types;
    const format::GgufFile file(path);
    for (const format::TensorInfo& tensor : file.tensors()) types[tensor.name] = to_string(tensor.type);
    std::filesystem::remove(path);
    return types;
}

std::string message_of(const SyntheticOptions& options) {
    try {
        types_of(options);
    } catch (const Error& error) {
        return error.full_text();
    }
    return "no error";
}

} // namespace

TEST_CASE("weights of every type have about the wanted size and are finite") {
    const auto path = temporary("types");
    for (const format::TypeTraits* type : format::all_traits()) {
        if (type->kind == format::TypeKind::integer || type->kind == format::TypeKind::activation) continue;
        INFO(type->name);
        SyntheticOptions options = kSmall;
        options.type = type->type;
        write_synthetic_model(path, options);
        const format::GgufFile file(path);
        const auto& tensor = file.tensor("blk.1.ffn_down.weight");
        CHECK(tensor.type == type->type);
        double sum = 0;
        const std::vector<float> values = file.read_f32(tensor);
        for (const float value : values) sum += static_cast<double>(value) * value;
        const double deviation = std::sqrt(sum / static_cast<double>(values.size()));
        CHECK(deviation > 0.4 / std::sqrt(512.0));
        CHECK(deviation < 2.5 / std::sqrt(512.0));
    }
    std::filesystem::remove(path);
}

TEST_CASE("every architecture of the engine is made, with the tensors that it reads and no others") {
    const auto path = temporary("architectures");
    std::vector<SyntheticOptions> all;
    for (const models::Architecture& architecture : models::architectures()) all.push_back(small(architecture.name));
    CHECK(all.size() == synthetic_architectures().size());
    all.push_back(small("llama")); // a Mixtral
    all.back().n_experts = 4;
    all.push_back(small("glm4moe"));
    all.back().n_layers = 4;
    all.back().n_leading_dense = 2;
    all.back().n_ff_dense = 768;
    all.back().n_ff_shared = 1024;
    all.back().has_qk_norm = false;
    for (const SyntheticOptions& options : all) {
        INFO(options.architecture, " with ", options.n_experts, " experts");
        write_synthetic_model(path, options);
        const format::GgufFile file(path);
        const models::Architecture& architecture = models::find_architecture(options.architecture);
        const models::ModelConfig config = architecture.read(file);
        CHECK(config.n_layers == options.n_layers);
        CHECK(config.experts.n == options.n_experts);
        std::set<std::string> read;
        for (const models::TensorNeed& need : architecture.tensors(config, file)) {
            for (const models::TensorNeed::Source& source : need.sources) {
                INFO(source.name);
                if (source.name.empty()) continue;
                REQUIRE(file.find_tensor(source.name) != nullptr);
                const format::TensorInfo& tensor = file.tensor(source.name);
                read.insert(source.name);
                if (need.kind == models::TensorNeed::Kind::matrix) {
                    CHECK(tensor.dims[0] == (source.all_cols != 0 ? source.all_cols : need.n_cols));
                    CHECK(tensor.n_rows() == (source.all_rows != 0 ? source.all_rows : source.n_rows));
                } else {
                    CHECK(tensor.n_elements() == source.n_rows);
                }
            }
        }
        for (const format::TensorInfo& tensor : file.tensors()) CHECK_MESSAGE(read.contains(tensor.name), tensor.name);
        const auto tokens = file.get_strings("tokenizer.ggml.tokens");
        CHECK(tokens.size() == options.n_vocab);
        CHECK(std::set<std::string_view>(tokens.begin(), tokens.end()).size() == tokens.size());
        CHECK(file.get_array<int32_t>("tokenizer.ggml.token_type").size() == tokens.size());
    }
    std::filesystem::remove(path);
}

TEST_CASE("architectures have what makes them special") {
    const auto path = temporary("special");
    const auto config_of = [&](const SyntheticOptions& options) {
        write_synthetic_model(path, options);
        const format::GgufFile file(path);
        return models::find_architecture(options.architecture).read(file);
    };
    models::ModelConfig config = config_of(small("qwen2moe"));
    CHECK(config.experts.n_ff_shared == 2 * 512); // two experts are used
    CHECK(config.experts.shared_is_gated);
    config = config_of(small("glm4moe"));
    CHECK(config.experts.n_ff_shared == 512);
    CHECK(config.experts.first_layer == 1);
    CHECK(config.experts.normalises);
    CHECK(config.rope.n_rot == config.head_size / 2);
    CHECK(config.n_ff == 2 * 512);
    auto types = types_of(small("glm4moe"));
    CHECK(types.contains("blk.0.ffn_gate.weight"));
    CHECK(types.contains("blk.1.exp_probs_b.bias"));
    CHECK(types.contains("blk.0.attn_q_norm.weight"));
    config = config_of(small("gpt-oss"));
    CHECK(config.windows == std::vector<uint32_t>{128, 0});
    CHECK(config.rope.scaling == models::RopeConfig::Scaling::yarn);
    types = types_of(small("gpt-oss"));
    CHECK(types.contains("blk.0.attn_sinks.weight"));
    CHECK(types["blk.0.ffn_down_exps.weight"] == "MXFP4");
    CHECK(types["blk.0.attn_q.weight"] == "Q4_0");
    CHECK(types["blk.1.ffn_up_exps.bias"] == "F32");
    std::filesystem::remove(path);
}

TEST_CASE("k_m gives the types of files named so") {
    SyntheticOptions options = kSmall;
    options.n_layers = 16;
    options.n_embd = 256;
    options.n_ff = 256;
    options.type = format::TensorType::q4_k;
    options.output_type.reset();
    CHECK(types_of(options)["output.weight"] == "Q4_K");
    options.mix = TypeMix::k_m;
    auto types = types_of(options);
    CHECK(types["output.weight"] == "Q6_K");
    CHECK(types["token_embd.weight"] == "Q4_K");
    const std::set<uint32_t> more = {0, 1, 4, 7, 10, 13, 14, 15}; // first and last eighth, every third between
    for (uint32_t layer = 0; layer < 16; ++layer) {
        const std::string block = "blk." + std::to_string(layer) + ".";
        CHECK(types[block + "attn_v.weight"] == (more.contains(layer) ? "Q6_K" : "Q4_K"));
        CHECK(types[block + "ffn_down.weight"] == (more.contains(layer) ? "Q6_K" : "Q4_K"));
        CHECK(types[block + "attn_q.weight"] == "Q4_K");
        CHECK(types[block + "ffn_up.weight"] == "Q4_K");
    }
    options.tied = true;
    CHECK(types_of(options)["token_embd.weight"] == "Q6_K");
    options.output_type = format::TensorType::q8_0;
    CHECK(types_of(options)["token_embd.weight"] == "Q8_0");

    options.type = format::TensorType::q3_k;
    options.n_experts = 8;
    types = types_of(options);
    CHECK(types["blk.3.attn_v.weight"] == "Q8_0");
    CHECK(types["blk.3.attn_output.weight"] == "Q5_K");
    CHECK(types["blk.0.ffn_down_exps.weight"] == "Q5_K");
    CHECK(types["blk.1.ffn_down_exps.weight"] == "Q4_K");
    CHECK(types["blk.1.ffn_up_exps.weight"] == "Q3_K");
    CHECK(types["blk.1.ffn_gate_inp.weight"] == "F32");
}

TEST_CASE("types give way where they do not divide rows, and rules name single parts") {
    SyntheticOptions options = small("qwen2moe");
    options.n_ff = 96;
    options.n_ff_shared = 512;
    options.type = format::TensorType::q4_k;
    auto types = types_of(options);
    CHECK(types["blk.0.ffn_up_exps.weight"] == "Q4_K");
    CHECK(types["blk.0.ffn_down_exps.weight"] == "Q5_0");
    options.type_rules = {{"shexp", format::TensorType::q8_0},
                          {"blk.0.*_v.weight", format::TensorType::f16},
                          {"down_shexp", format::TensorType::q6_k}};
    types = types_of(options);
    CHECK(types["blk.1.ffn_gate_shexp.weight"] == "Q8_0");
    CHECK(types["blk.1.ffn_down_shexp.weight"] == "Q6_K");
    CHECK(types["blk.0.ffn_gate_inp_shexp.weight"] == "F32");
    CHECK(types["blk.0.attn_v.weight"] == "F16");
    CHECK(types["blk.1.attn_v.weight"] == "Q4_K");
    CHECK(types["blk.0.attn_v.bias"] == "F32");
}

TEST_CASE("large vocabularies stay unique, and the seed decides the file") {
    const auto path = temporary("vocabulary");
    SyntheticOptions options = kSmall;
    options.n_layers = 1;
    options.n_embd = options.n_ff = 32;
    options.n_vocab = 152064;
    write_synthetic_model(path, options);
    const auto first = format::GgufFile(path).read_f32(format::GgufFile(path).tensor("output.weight"));
    {
        const format::GgufFile file(path);
        const auto tokens = file.get_strings("tokenizer.ggml.tokens");
        CHECK(tokens.size() == options.n_vocab);
        CHECK(std::set<std::string_view>(tokens.begin(), tokens.end()).size() == tokens.size());
        write_synthetic_model(path, options);
    }
    CHECK(format::GgufFile(path).read_f32(format::GgufFile(path).tensor("output.weight")) == first);
    options.seed = 2;
    write_synthetic_model(path, options);
    CHECK(format::GgufFile(path).read_f32(format::GgufFile(path).tensor("output.weight")) != first);
    std::filesystem::remove(path);
}

TEST_CASE("options that make no model are refused and leave no file") {
    const auto path = temporary("refused");
    std::filesystem::remove(path);
    for (auto change : std::vector<void (*)(SyntheticOptions&)>{
             [](SyntheticOptions& o) { o.architecture = "gpt-17"; }, [](SyntheticOptions& o) { o.n_kv_heads = 3; },
             [](SyntheticOptions& o) { o.n_layers = 0; }, [](SyntheticOptions& o) { o.n_vocab = 100; },
             [](SyntheticOptions& o) {
                 o.n_embd = 100; /* no multiple of 32 */
             },
             [](SyntheticOptions& o) { o.architecture = "qwen3moe"; },
             [](SyntheticOptions& o) { o.type_rules = {{"ffn_down", format::TensorType::i32}}; },
             [](SyntheticOptions& o) { o.output_type = format::TensorType::q8_1; }}) {
        SyntheticOptions options = kSmall;
        change(options);
        CHECK_THROWS_AS(write_synthetic_model(path, options), Error);
        CHECK(!std::filesystem::exists(path));
        CHECK(!std::filesystem::exists(path.string() + ".partial"));
    }
}

TEST_CASE("what an architecture or a mix does not have is named") {
    SyntheticOptions options = small("qwen3");
    options.n_experts = 4;
    CHECK(message_of(options).starts_with("qwen3 has no experts."));
    options = small("qwen3");
    options.has_qk_norm = false;
    CHECK(message_of(options).starts_with("qwen3 needs norms of Q and K."));
    options = small("qwen3moe");
    options.n_ff_shared = 512;
    CHECK(message_of(options).starts_with("qwen3moe has no shared expert."));
    options.n_ff_shared = 0;
    options.n_leading_dense = 1;
    CHECK(message_of(options).starts_with("qwen3moe has no leading dense layers."));
    options = small("glm4moe");
    options.n_ff_shared = 768;
    CHECK(message_of(options).starts_with("a shared expert of 768 is no multiple"));
    options = small("glm4moe");
    options.n_layers = 1;
    CHECK(message_of(options).starts_with("1 leading dense layers of 1 leave none"));
    options = kSmall;
    options.mix = TypeMix::k_m;
    CHECK(message_of(options).starts_with("there is no mix k_m of Q4_0."));
    options = kSmall;
    options.type_rules = {{"ffn_gate_inp", format::TensorType::f16}};
    CHECK(message_of(options).starts_with("no matrix has \"ffn_gate_inp\" in its name."));
    options.type_rules = {{"ffn_down", format::TensorType::q6_k}};
    options.n_ff = 96;
    CHECK(message_of(options).find("rows of 96 elements, Q6_K needs a multiple of 256") != std::string::npos);
}
