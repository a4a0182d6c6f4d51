// NVFP4 weights with their outer factors (X.scale beside X.weight) through the whole engine, against the same values as
// plain floats: stacked matrices with unlike factors, a fused gate and up, prefill and single tokens.
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

/// Writes `source` with every matrix of its layers in NVFP4 and factors beside them, and the same as floats.
void write_models(const format::GgufFile& source, const std::filesystem::path& nvfp4,
                  const std::filesystem::path& floats) {
    format::GgufWriter quantised(nvfp4), plain(floats);
    std::vector<std::vector<std::byte>> quantised_data, plain_data;
    const auto bytes_of = [](const std::vector<float>& values) {
        const auto bytes = std::as_bytes(std::span(values));
        return std::vector<std::byte>(bytes.begin(), bytes.end());
    };
    for (const format::MetadataEntry& entry : source.metadata()) {
        quantised.set(entry.key, entry.value);
        plain.set(entry.key, entry.value);
    }
    int n_matrices = 0;
    for (const format::TensorInfo& tensor : source.tensors()) {
        const std::vector<uint64_t> dims(tensor.dims.begin(), tensor.dims.begin() + (tensor.n_rows() > 1 ? 2 : 1));
        std::vector<float> values = source.read_f32(tensor);
        if (tensor.name.starts_with("blk.") && tensor.n_rows() > 1) {
            const bool has_factor = n_matrices++ % 4 != 3; // and some without
            const float factor = has_factor ? 0.01f * static_cast<float>(1 + n_matrices % 5) : 1.0f;
            quantised_data.push_back(to_nvfp4(values, factor));
            quantised.add_tensor(tensor.name, format::TensorType::nvfp4, dims);
            format::traits(format::TensorType::nvfp4)
                .dequantise(quantised_data.back().data(), values.data(), values.size());
            for (float& value : values) value *= factor;
            if (has_factor) {
                const std::string stem = tensor.name.substr(0, tensor.name.rfind(".weight"));
                quantised.add_tensor(stem + ".scale", format::TensorType::f32, {1});
                quantised_data.push_back(bytes_of({factor}));
            }
        } else {
            quantised.add_tensor(tensor.name, format::TensorType::f32, dims);
            quantised_data.push_back(bytes_of(values));
        }
        plain.add_tensor(tensor.name, format::TensorType::f32, dims);
        plain_data.push_back(bytes_of(values));
    }
    for (const auto& data : quantised_data) quantised.append(data);
    for (const auto& data : plain_data) plain.append(data);
    quantised.finish();
    plain.finish();
    CHECK(n_matrices >= 14);
}

std::vector<float> logits_of(const std::filesystem::path& model, const char* coopmat, int batch) {
    runtime::RunnerOptions options;
    options.model = model;
    options.n_ctx = 64;
    options.n_ubatch = 40;
    options.max_logits = 40;
    options.coopmat = coopmat;
    options.act = std::string_view(coopmat) == "off" ? "f32" : "auto";
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

} // namespace

TEST_CASE("outer factors of NVFP4 weights multiply the products") {
    VKINFER_REQUIRE_GOLDEN(golden);
    const auto directory = std::filesystem::temp_directory_path() / "vkinfer-row-scales-test";
    std::filesystem::create_directories(directory);
    const auto nvfp4 = directory / "nvfp4.gguf", floats = directory / "floats.gguf";
    write_models(format::GgufFile(golden / "models" / "qwen2" / "model.gguf"), nvfp4, floats);
    const std::vector<float> truth = logits_of(floats, "off", 40);
    CHECK(nmse(logits_of(nvfp4, "off", 40), truth) < 1e-9);
    CHECK(nmse(logits_of(nvfp4, "off", 1), truth) < 1e-9);
    // f16 operands: the limit of the reference data for them.
    CHECK(nmse(logits_of(nvfp4, "on", 40), truth) < 1e-4);
    std::filesystem::remove_all(directory);
}
