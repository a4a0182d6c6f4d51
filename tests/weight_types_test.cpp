// Weight types of which the reference data has no model, through the whole engine, against the same values as plain
// floats: NVFP4 with its outer factors (X.scale beside X.weight), and codebooks, each tensor in another one.
#include "base/file.h"
#include "format/gguf_file.h"
#include "format/gguf_writer.h"
#include "runtime/vulkan_runner.h"
#include "support/support.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <doctest/doctest.h>
#include <filesystem>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

using namespace vkinfer;

namespace {

constexpr uint32_t kBlock = 64, kBlockBytes = 36;

/// Blocks whose values are those of `values` divided by `factor`, roughly: the largest of a group of 16 becomes 6.
std::vector<std::byte> to_nvfp4(const std::vector<float>& values, float factor) {
    constexpr std::array<float, 8> kMagnitudes = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    std::vector<std::byte> blocks(values.size() / kBlock * kBlockBytes);
    for (size_t i = 0; i < values.size(); ++i) {
        const size_t group = i / 16 * 16, e = i % kBlock;
        std::byte* block = blocks.data() + i / kBlock * kBlockBytes;
        float largest = 0;
        for (size_t k = group; k < group + 16; ++k) largest = std::max(largest, std::fabs(values[k] / factor));
        // The scale is a power of two here: exponent E, mantissa 0, value 2^(E - 7).
        const int exponent = std::clamp(static_cast<int>(std::ceil(std::log2(largest / 6))) + 7, 1, 15);
        block[e / 16] = static_cast<std::byte>(exponent << 3);
        const float x = values[i] / factor / std::ldexp(1.0f, exponent - 7);
        const auto* nearest = std::ranges::min_element(
            kMagnitudes, {}, [x](float magnitude) { return std::fabs(magnitude - std::fabs(x)); });
        const auto code = static_cast<unsigned>(nearest - kMagnitudes.begin()) | (x < 0 ? 8u : 0u);
        const size_t t = e % 16;
        block[4 + 8 * (e / 16) + t % 8] |= static_cast<std::byte>(code << (t < 8 ? 0 : 4));
    }
    return blocks;
}

/// Blocks of random bits whose largest value is about as large as a weight of this many columns should be.
std::vector<std::byte> random_blocks(const format::TypeTraits& type, size_t n_elements, uint64_t n_cols,
                                     uint32_t seed) {
    std::mt19937 engine(seed);
    std::vector<std::byte> blocks(n_elements / type.block_elements * type.block_bytes);
    std::vector<float> values(type.block_elements);
    const float wished = 2.0f / std::sqrt(static_cast<float>(n_cols));
    for (size_t at = 0; at < blocks.size(); at += type.block_bytes) {
        bool is_fit = false;
        while (!is_fit) {
            for (size_t i = 0; i < type.block_bytes; ++i) blocks[at + i] = static_cast<std::byte>(engine() >> 24);
            type.dequantise(blocks.data() + at, values.data(), values.size());
            float largest = 0;
            for (const float value : values)
                largest = std::isfinite(value) ? std::max(largest, std::fabs(value)) : INFINITY;
            is_fit = largest > wished / 2 && largest < wished * 2;
        }
    }
    return blocks;
}

/// What becomes of a matrix: its blocks, and the factor of its products where it has one.
struct Encoded {
    format::TensorType type = format::TensorType::f32;
    std::vector<std::byte> blocks;
    float factor = 1.0f;
};

/// Writes `source` with its matrices as `encode` makes them (null: as floats), and a second model of the same values.
template<class Encode>
void write_models(const format::GgufFile& source, const std::filesystem::path& encoded_path,
                  const std::filesystem::path& floats_path, const Encode& encode) {
    format::GgufWriter encoded(encoded_path), plain(floats_path);
    std::vector<std::vector<std::byte>> encoded_data, plain_data;
    const auto bytes_of = [](const std::vector<float>& values) {
        const auto bytes = std::as_bytes(std::span(values));
        return std::vector<std::byte>(bytes.begin(), bytes.end());
    };
    for (const format::MetadataEntry& entry : source.metadata()) {
        encoded.set(entry.key, entry.value);
        plain.set(entry.key, entry.value);
    }
    for (const format::TensorInfo& tensor : source.tensors()) {
        const std::vector<uint64_t> dims(tensor.dims.begin(), tensor.dims.begin() + (tensor.n_rows() > 1 ? 2 : 1));
        std::vector<float> values = source.read_f32(tensor);
        const std::optional<Encoded> made = tensor.n_rows() > 1 ? encode(tensor, values) : std::nullopt;
        encoded.add_tensor(tensor.name, made ? made->type : format::TensorType::f32, dims);
        if (made) {
            encoded_data.push_back(made->blocks);
            format::traits(made->type).dequantise(made->blocks.data(), values.data(), values.size());
            for (float& value : values) value *= made->factor;
            if (made->factor != 1.0f) {
                const std::string stem = tensor.name.substr(0, tensor.name.rfind(".weight"));
                encoded.add_tensor(stem + ".scale", format::TensorType::f32, {1});
                encoded_data.push_back(bytes_of({made->factor}));
            }
        } else {
            encoded_data.push_back(bytes_of(values));
        }
        plain.add_tensor(tensor.name, format::TensorType::f32, dims);
        plain_data.push_back(bytes_of(values));
    }
    for (const auto& data : encoded_data) encoded.append(data);
    for (const auto& data : plain_data) plain.append(data);
    encoded.finish();
    plain.finish();
}

std::vector<float> logits_of(const std::filesystem::path& model, const char* coopmat, const char* act, int batch) {
    runtime::RunnerOptions options;
    options.model = model;
    options.n_ctx = 64;
    options.n_ubatch = 40;
    options.max_logits = 40;
    options.coopmat = coopmat;
    options.act = act;
    options.type_k = options.type_v = format::TensorType::f32; // halves round the other way for any change of order
    const auto runner = runtime::create_vulkan_runner(options);
    REQUIRE(runner->reserve(0, 40));
    std::vector<float> logits;
    for (int done = 0; done < 40; done += batch) {
        std::vector<runtime::StepToken> step;
        for (int i = done; i < std::min(40, done + batch); ++i) step.push_back({(37 * i + 5) % 512, i, 0, true});
        const auto rows = runner->evaluate(step);
        REQUIRE(rows.has_value());
        logits.insert(logits.end(), rows->begin(), rows->end());
    }
    return logits;
}

double nmse(const std::vector<float>& x, const std::vector<float>& y) {
    REQUIRE(x.size() == y.size());
    double error = 0, power = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        error += (double{x[i]} - y[i]) * (double{x[i]} - y[i]);
        power += double{y[i]} * y[i];
    }
    return error / power;
}

/// Both models of a test, in a folder that goes with it.
class Pair {
public:
    template<class Encode>
    Pair(const char* name, const std::filesystem::path& source, const Encode& encode)
        : directory_(std::filesystem::temp_directory_path() / (std::string("vkinfer-weights-") + name)) {
        std::filesystem::create_directories(directory_);
        write_models(format::GgufFile(source), directory_ / "encoded.gguf", directory_ / "floats.gguf", encode);
        truth_ = logits_of(directory_ / "floats.gguf", "off", "f32", 40);
    }
    ~Pair() { std::filesystem::remove_all(directory_); }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;

    double error(const char* coopmat, const char* act, int batch) const {
        return nmse(logits_of(directory_ / "encoded.gguf", coopmat, act, batch), truth_);
    }

private:
    std::filesystem::path directory_;
    std::vector<float> truth_;
};

} // namespace

TEST_CASE("outer factors of NVFP4 weights multiply the products") {
    VKINFER_REQUIRE_GOLDEN(golden);
    int n_matrices = 0;
    const Pair pair("nvfp4", golden / "models" / "qwen2" / "model.gguf",
                    [&](const format::TensorInfo& tensor, const std::vector<float>& values) -> std::optional<Encoded> {
                        if (!tensor.name.starts_with("blk.")) return std::nullopt;
                        const bool has_factor = n_matrices++ % 4 != 3; // and some without
                        const float factor = has_factor ? 0.01f * static_cast<float>(1 + n_matrices % 5) : 1.0f;
                        return Encoded{format::TensorType::nvfp4, to_nvfp4(values, factor), factor};
                    });
    CHECK(n_matrices >= 14);
    CHECK(pair.error("off", "f32", 40) < 1e-9);
    CHECK(pair.error("off", "f32", 1) < 1e-9);
    CHECK(pair.error("on", "auto", 40) < 1e-4); // f16 operands: the limit of the reference data for them
}

TEST_CASE("a model of all codebook types at once") {
    VKINFER_REQUIRE_GOLDEN(golden);
    using enum format::TensorType;
    constexpr std::array kTypes = {iq2_s, iq1_m, iq2_xxs, iq3_xxs, iq2_xs, iq1_s, iq3_s};
    uint32_t n_matrices = 0;
    const Pair pair("codebooks", golden / "models" / "llama-q4_k" / "model.gguf",
                    [&](const format::TensorInfo& tensor, const std::vector<float>& values) -> std::optional<Encoded> {
                        const format::TensorType type = kTypes[n_matrices++ % kTypes.size()];
                        return Encoded{type,
                                       random_blocks(format::traits(type), values.size(), tensor.dims[0], n_matrices)};
                    });
    CHECK(n_matrices >= 14); // each type twice
    CHECK(pair.error("off", "f32", 40) < 1e-9);
    CHECK(pair.error("off", "f32", 1) < 1e-9);
    CHECK(pair.error("on", "auto", 40) < 1e-4);
    CHECK(pair.error("off", "q8", 40) < 3e-3);
}
