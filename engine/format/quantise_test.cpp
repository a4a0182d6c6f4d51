// Encoders: byte-identical to the reference where it is simple, and within the error that the type allows everywhere.
#include "format/tensor_type.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <doctest/doctest.h>
#include <limits>
#include <string>
#include <vector>

using namespace vkinfer::format;

namespace {

/// Normals without a library: the sum of twelve uniforms is close enough.
std::vector<float> normals(size_t n, float deviation, uint32_t seed) {
    std::vector<float> values(n);
    for (float& value : values) {
        float sum = -6.0f;
        for (int i = 0; i < 12; ++i) {
            seed = seed * 1664525 + 1013904223;
            sum += static_cast<float>(seed >> 8) * 0x1p-24f;
        }
        value = deviation * sum;
    }
    return values;
}

std::vector<float> round_trip(const TypeTraits& type, const std::vector<float>& values) {
    std::vector<std::byte> blocks(type.row_bytes(values.size()));
    type.quantise(values.data(), blocks.data(), values.size());
    std::vector<float> result(values.size());
    type.dequantise(blocks.data(), result.data(), result.size());
    return result;
}

double relative_error(const std::vector<float>& values, const std::vector<float>& result) {
    double error = 0, size = 0;
    for (size_t i = 0; i < values.size(); ++i) {
        error += std::pow(static_cast<double>(values[i]) - result[i], 2);
        size += std::pow(static_cast<double>(values[i]), 2);
    }
    return std::sqrt(error / size);
}

} // namespace

TEST_CASE("normals come back within the error of their type, at any scale") {
    // Relative RMSE of standard normals. For the K types the limits are a little above what was measured when the
    // search was written, so that a search that got worse fails.
    const std::pair<const char*, double> limits[] = {
        {"F32", 0.0},   {"F16", 3e-4},  {"BF16", 2e-3},  {"Q8_0", 0.006}, {"Q4_0", 0.10},  {"Q4_1", 0.085},
        {"Q5_0", 0.05}, {"Q5_1", 0.04}, {"MXFP4", 0.13}, {"Q4_K", 0.073}, {"Q5_K", 0.036}, {"Q6_K", 0.0185}};
    for (const auto& [name, limit] : limits) {
        const TypeTraits& type = *find_traits(name);
        REQUIRE(type.quantise != nullptr);
        for (const float deviation : {1e-3f, 1.0f, 300.0f}) {
            const std::vector<float> values = normals(size_t{256} * 64, deviation, 7);
            const double error = relative_error(values, round_trip(type, values));
            INFO(std::string(name) << " at " << deviation << ": " << error);
            CHECK(error <= limit);
        }
    }
}

TEST_CASE("edge blocks: zeros, constants, spikes, one sign, denormals and huge values stay finite and close") {
    std::vector<std::vector<float>> blocks;
    const auto add = [&](auto&& value_of) {
        auto& block = blocks.emplace_back(256);
        for (int i = 0; i < 256; ++i) block[static_cast<size_t>(i)] = value_of(i);
    };
    add([](int) { return 0.0f; });
    add([](int) { return 3.25f; });
    add([](int) { return -3.25f; });
    add([](int i) { return i == 77 ? 100.0f : 0.0f; });
    add([](int i) { return i == 77 ? -100.0f : 0.01f; });
    add([](int i) { return 1.0f + static_cast<float>(i); });
    add([](int i) { return -1.0f - static_cast<float>(i); });
    add([](int i) { return i % 2 == 0 ? 1.0f : -1.0f; });
    add([](int i) { return 1e-7f * static_cast<float>(i % 16); });
    add([](int i) { return i % 3 == 0 ? 6e4f : -6e4f; });
    add([](int i) { return i < 32 ? 1e-3f * static_cast<float>(i) : static_cast<float>(i); });
    add([](int i) { return std::numeric_limits<float>::denorm_min() * static_cast<float>(i); });
    constexpr float kFloor = 63 * 31 * 0x1p-25f;
    for (const TypeTraits* type : all_traits()) {
        if (type->quantise == nullptr) continue;
        for (size_t b = 0; b < blocks.size(); ++b) {
            const std::vector<float> result = round_trip(*type, blocks[b]);
            float largest = 0.0f;
            for (const float value : blocks[b]) largest = std::max(largest, std::fabs(value));
            for (size_t i = 0; i < result.size(); ++i) {
                INFO(std::string(type->name)
                     << " block " << b << " element " << i << ": " << blocks[b][i] << " -> " << result[i]);
                REQUIRE(std::isfinite(result[i]));
                // The coarsest step of all types is a quarter of the largest value. Below the floor the f16 scale of a
                // K type, a 63rd of the step, becomes 0.
                REQUIRE(std::fabs(result[i] - blocks[b][i]) <= 0.26f * largest + kFloor);
            }
        }
    }
}

TEST_CASE("blocks known by heart: the rounding rules of the simple types") {
    std::vector<float> values(32, 0.0f);
    values[0] = -8.0f; // the extreme value decides the sign of the scale
    values[1] = 7.0f;
    values[2] = 0.5f; // 0.5 + 8.5 = 9: half rounds away from zero upwards
    values[3] = -0.5f;
    uint8_t block[64] = {};
    auto* bytes = reinterpret_cast<std::byte*>(block);
    find_traits("Q4_0")->quantise(values.data(), bytes, 32);
    CHECK(block[0] == 0x00); // d = 1.0
    CHECK(block[1] == 0x3c);
    CHECK((block[2] & 15) == 0);
    CHECK((block[3] & 15) == 15);
    CHECK((block[4] & 15) == 9);
    CHECK((block[5] & 15) == 8);
    CHECK((block[6] & 15) == 8);

    values.assign(32, 0.0f);
    values[0] = 127.0f;
    values[1] = 0.5f;
    values[2] = -0.5f;
    values[3] = -2.5f;
    find_traits("Q8_0")->quantise(values.data(), bytes, 32);
    CHECK(block[1] == 0x3c);
    CHECK(static_cast<int8_t>(block[2]) == 127);
    CHECK(static_cast<int8_t>(block[3]) == 1); // half away from zero, not to even
    CHECK(static_cast<int8_t>(block[4]) == -1);
    CHECK(static_cast<int8_t>(block[5]) == -3);

    values.assign(32, 0.0f);
    values[0] = 6.0f;
    values[1] = 5.0f; // between 4 and 6: the first of two equally near ones
    values[2] = -0.25f;
    find_traits("MXFP4")->quantise(values.data(), bytes, 32);
    CHECK(block[0] == 127);
    CHECK((block[1] & 15) == 7);
    CHECK((block[2] & 15) == 6);
    CHECK((block[3] & 15) == 0);
}
