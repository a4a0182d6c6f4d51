#include "format/quantise_model.h"

#include "format/gguf_writer.h"

#include <cmath>
#include <doctest/doctest.h>
#include <filesystem>
#include <format>
#include <random>
#include <string>
#include <vector>

using namespace vkinfer;
using namespace vkinfer::format;

namespace {

struct TemporaryFile {
    std::filesystem::path path;
    TemporaryFile()
        : path(std::filesystem::temp_directory_path() / std::format("vkinfer_{}.gguf", std::random_device()())) {}
    ~TemporaryFile() { std::filesystem::remove(path); }
};

/// A model of 8 layers with the names that matter, in F16; values are a smooth curve plus noise.
void write_source(const std::filesystem::path& path, bool tied, TensorType type = TensorType::f16,
                  float spoiled = 0.0f) {
    GgufWriter writer(path);
    writer.set("general.architecture", "llama");
    writer.set("llama.block_count", 8u);
    writer.set("general.file_type", 1u);
    writer.set("split.count", uint16_t{0});
    writer.add_tensor("token_embd.weight", type, {256, 700});
    writer.add_tensor("output_norm.weight", TensorType::f32, {256});
    if (!tied) writer.add_tensor("output.weight", type, {256, 700});
    for (int layer = 0; layer < 8; ++layer) {
        const std::string block = std::format("blk.{}.", layer);
        writer.add_tensor(block + "attn_v.weight", type, {256, 3});
        writer.add_tensor(block + "attn_q.bias", TensorType::f32, {256});
        writer.add_tensor(block + "ffn_up.weight", type, {256, 3});
        writer.add_tensor(block + "ffn_down.weight", type, {96, 256}); // no multiple of 256
        writer.add_tensor(block + "ffn_odd.weight", type, {20, 3});    // no multiple of 32 either
        writer.add_tensor(block + "ffn_gate_inp.weight", TensorType::f32, {256, 4});
    }
    uint32_t state = 1;
    for (const TensorInfo& tensor : std::vector<TensorInfo>(writer.tensors().begin(), writer.tensors().end())) {
        std::vector<float> values(tensor.n_elements());
        for (float& value : values) {
            state = state * 1664525 + 1013904223;
            value = static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
        }
        if (spoiled != 0.0f && tensor.name == "token_embd.weight") values[values.size() - 5] = spoiled;
        std::vector<std::byte> bytes(tensor.size_bytes);
        traits(tensor.type).quantise(values.data(), bytes.data(), values.size());
        writer.append(bytes);
    }
    writer.finish();
}

} // namespace

TEST_CASE("each recipe gives each tensor the type of the rule, and the values stay close") {
    const TemporaryFile source_file, target_file;
    write_source(source_file.path, false);
    const GgufFile source(source_file.path);
    for (const QuantiseRecipe& recipe : quantise_recipes()) {
        INFO(std::string(recipe.name));
        uint64_t last_done = 0, all = 0;
        QuantiseOptions options;
        options.measure = true;
        options.n_threads = 3;
        options.progress = [&](uint64_t done, uint64_t n, const std::string&) {
            CHECK(done > last_done);
            last_done = done;
            all = n;
        };
        const auto results = quantise_model(source, target_file.path, recipe, options);
        CHECK(last_done == all);
        const GgufFile target(target_file.path);
        CHECK(target.get_u32("general.file_type") == recipe.file_type);
        CHECK(target.get_u32("general.quantization_version") == 2);
        CHECK(!target.has("split.count"));
        REQUIRE(target.tensors().size() == source.tensors().size());
        const auto type_of = [&](const char* name) { return target.tensor(name).type; };
        CHECK(type_of("token_embd.weight") == recipe.type);
        CHECK(type_of("output.weight") == recipe.output_type);
        CHECK(type_of("blk.3.ffn_up.weight") == recipe.type);
        CHECK(type_of("blk.0.attn_v.weight") == (recipe.is_mix ? TensorType::q6_k : recipe.type));
        CHECK(type_of("blk.1.attn_v.weight") == recipe.type);
        CHECK(type_of("output_norm.weight") == TensorType::f32);
        CHECK(type_of("blk.0.attn_q.bias") == TensorType::f32);
        CHECK(type_of("blk.0.ffn_gate_inp.weight") == TensorType::f32);
        if (std::string_view(recipe.name) == "Q4_K_M") {
            CHECK(type_of("blk.0.ffn_down.weight") == TensorType::q8_0); // Q6_K was wished
            CHECK(type_of("blk.1.ffn_down.weight") == TensorType::q5_0); // Q4_K was wished
            CHECK(type_of("blk.0.ffn_odd.weight") == TensorType::f16);
        }
        for (const QuantisedTensor& result : results) {
            const auto before = source.read_f32(source.tensor(result.name));
            const auto after = target.read_f32(target.tensor(result.name));
            double error = 0, size = 0;
            for (size_t i = 0; i < before.size(); ++i) {
                error += std::pow(static_cast<double>(before[i]) - after[i], 2);
                size += std::pow(static_cast<double>(before[i]), 2);
            }
            CHECK(std::sqrt(error / size) == doctest::Approx(result.relative_rmse).epsilon(1e-6));
            CHECK(result.relative_rmse < 0.09);
        }
    }
}

TEST_CASE("tied embeddings count as the output, options win, the number of threads does not change the file") {
    const TemporaryFile source_file, one, four;
    write_source(source_file.path, true, TensorType::bf16);
    const GgufFile source(source_file.path);
    const QuantiseRecipe& recipe = find_recipe("q4_k_m");
    const TensorInfo& embedding = source.tensor("token_embd.weight");
    CHECK(choose_type(source, embedding, recipe, {}).to == TensorType::q6_k);
    QuantiseOptions options;
    options.pure = true;
    CHECK(choose_type(source, embedding, recipe, options).to == TensorType::q4_k);
    CHECK(choose_type(source, source.tensor("blk.0.attn_v.weight"), recipe, options).to == TensorType::q4_k);
    options.output_type = TensorType::q8_0;
    CHECK(choose_type(source, embedding, recipe, options).to == TensorType::q8_0);
    options.n_threads = 1;
    quantise_model(source, one.path, recipe, options);
    options.n_threads = 4;
    quantise_model(source, four.path, recipe, options);
    CHECK(read_text_file(one.path) == read_text_file(four.path));
}

TEST_CASE("unknown recipes, quantised sources and values that are not finite are refused") {
    const TemporaryFile source_file, target_file;
    CHECK_THROWS_WITH_AS(find_recipe("Q9_X"), "quantisation \"Q9_X\" is not known.", Error);
    write_source(source_file.path, false, TensorType::f32, INFINITY);
    CHECK_THROWS_AS(quantise_model(GgufFile(source_file.path), target_file.path, find_recipe("Q8_0")), Error);
    write_source(source_file.path, false);
    quantise_model(GgufFile(source_file.path), target_file.path, find_recipe("Q8_0"));
    CHECK_THROWS_AS(quantise_model(GgufFile(target_file.path), source_file.path, find_recipe("Q4_0")), Error);
    CHECK(!std::filesystem::exists(source_file.path.string() + ".partial"));
}
