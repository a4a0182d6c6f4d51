#include "benchmarks/synthetic_model.h"

#include "base/error.h"
#include "format/gguf_file.h"

#include <cmath>
#include <doctest/doctest.h>
#include <filesystem>
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

TEST_CASE("every architecture has its tensors, and tokens are unique") {
    const auto path = temporary("architectures");
    for (const char* architecture : synthetic_architectures()) {
        SyntheticOptions options = kSmall;
        options.architecture = architecture;
        if (std::string_view(architecture) == "qwen3moe") options.n_experts = 4;
        write_synthetic_model(path, options);
        const format::GgufFile file(path);
        CHECK(file.get_string("general.architecture") == architecture);
        CHECK(file.get_u32(std::string(architecture) + ".block_count") == 2);
        CHECK((file.find_tensor("blk.0.attn_q.bias") != nullptr) == (std::string_view(architecture) == "qwen2"));
        CHECK((file.find_tensor("blk.0.ffn_up_exps.weight") != nullptr) == (options.n_experts > 0));
        const auto tokens = file.get_strings("tokenizer.ggml.tokens");
        CHECK(tokens.size() == options.n_vocab);
        CHECK(std::set<std::string_view>(tokens.begin(), tokens.end()).size() == tokens.size());
        CHECK(file.get_array<int32_t>("tokenizer.ggml.token_type").size() == tokens.size());
    }
    std::filesystem::remove(path);
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
             [](SyntheticOptions& o) { o.architecture = "qwen3moe"; }}) {
        SyntheticOptions options = kSmall;
        change(options);
        CHECK_THROWS_AS(write_synthetic_model(path, options), Error);
        CHECK(!std::filesystem::exists(path));
        CHECK(!std::filesystem::exists(path.string() + ".partial"));
    }
}
