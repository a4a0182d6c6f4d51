#include "base/error.h"
#include "format/gguf_file.h"
#include "graph/hazards.h"
#include "models/architecture.h"
#include "support/support.h"

#include <array>
#include <cmath>
#include <doctest/doctest.h>
#include <ranges>

using namespace vkinfer;
using namespace vkinfer::models;

namespace {

double radians(const RopeFrequencies& f, size_t i) {
    return static_cast<double>(f.pairs[i]) * 0x1p-64 * 2 * M_PI;
}

} // namespace

TEST_CASE("rotary frequencies: plain, linear, with factors of the file") {
    RopeConfig rope{.kind = kernels::RopeKind::neox, .n_rot = 64, .base = 10000};
    const RopeFrequencies plain = rope_frequencies(rope, {});
    REQUIRE(plain.pairs.size() == 32);
    CHECK(plain.magnitude == 1.0f);
    for (size_t i = 0; i < 32; ++i)
        CHECK(radians(plain, i) == doctest::Approx(std::pow(10000.0, -2.0 * i / 64)).epsilon(1e-12));
    rope.scaling = RopeConfig::Scaling::linear;
    rope.factor = 4;
    CHECK(radians(rope_frequencies(rope, {}), 0) == doctest::Approx(0.25).epsilon(1e-12));
    rope.scaling = RopeConfig::Scaling::none;
    std::vector<float> factors(32, 1.0f);
    factors[31] = 8.0f;
    CHECK(radians(rope_frequencies(rope, factors), 31) == doctest::Approx(radians(plain, 31) / 8).epsilon(1e-12));
}

TEST_CASE("YaRN keeps fast pairs, interpolates slow ones, and scales the magnitude") {
    const RopeConfig rope{.kind = kernels::RopeKind::neox,
                          .n_rot = 128,
                          .base = 1e6,
                          .scaling = RopeConfig::Scaling::yarn,
                          .factor = 4,
                          .original_context = 32768};
    const RopeFrequencies yarn = rope_frequencies(rope, {});
    CHECK(radians(yarn, 0) == doctest::Approx(1.0).epsilon(1e-12));
    CHECK(radians(yarn, 63) == doctest::Approx(std::pow(1e6, -126.0 / 128) / 4).epsilon(1e-9));
    CHECK(yarn.magnitude == doctest::Approx(1.0 + 0.1 * std::log(4.0)));
    RopeConfig with_log = rope;
    with_log.log_multiplier = 1;
    CHECK(rope_frequencies(with_log, {}).magnitude == doctest::Approx(1.0));
}

TEST_CASE("an unknown architecture is refused with the list of known ones") {
    try {
        find_architecture("mamba");
        FAIL("expected an error");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::unsupported);
        CHECK(error.hint().find("qwen3") != std::string::npos);
    }
}

TEST_CASE("graphs of real files compile to plans without hazards, with few barriers") {
    VKINFER_REQUIRE_GOLDEN(root);
    for (const char* name :
         {"llama", "llama-q4_0", "qwen2", "qwen3", "mixtral", "qwen3moe", "glm4moe", "glm4moe-air", "gpt-oss"}) {
        INFO(std::string(name));
        const format::GgufFile file(root / "models" / name / "model.gguf");
        const Architecture& architecture = find_architecture(file.get_string("general.architecture"));
        const ModelConfig config = architecture.read(file);
        LoadedModel weights;
        uint64_t address = 1 << 20;
        for (const TensorNeed& need : architecture.tensors(config, file)) {
            uint32_t n_rows = 0;
            for (const auto& source : need.sources) n_rows += source.n_rows;
            if (need.kind == TensorNeed::Kind::matrix) {
                weights.matrices[need.key] = {file.tensor(need.sources[0].name).type, n_rows, need.n_cols, address,
                                              address};
            } else {
                weights.vectors[need.key] = address;
            }
        }
        KvConfig kv;
        kv.layers.resize(config.n_layers, {address, address});
        kv.layer_bytes = 4096;
        // Mat-vecs up to 32 columns, and GEMMs that decode into registers from 9 on.
        kernels::Policy matvecs, gemms;
        gemms.coopmat = true;
        gemms.fragments = {.k_groups = 2};
        REQUIRE(gemms.gemm_folds_norms());
        const StepShape shapes[] = {{1, 1, 1, 1, 8, true, true},
                                    {1, 1, 1, 1, 1, true, true},
                                    {2, 2, 2, 1, 8, true, true},
                                    {8, 8, 8, 1, 64, true, true},
                                    {9, 9, 9, 1, 1, true, true},
                                    {16, 16, 16, 1, 2, true, true},
                                    {32, 32, 32, 1, 8, true, true},
                                    {8, 1, 4, 4, 8, true, false},
                                    {32, 1, 8, 4, 1, true, false},
                                    {64, 4, 32, 4, 1},
                                    {512, 0, 256, 8, 1}};
        for (const auto& [policy, shape] : std::views::cartesian_product(std::array{matvecs, gemms}, shapes)) {
            const graph::Plan plan = graph::compile(architecture.build({config, weights, kv, shape}), policy);
            CHECK(graph::find_hazards(plan).empty());
            // norm, QKV, store, attention, output, norm, gate and up, down; in a decode norms are part of the products,
            // and the store of attention.
            const uint32_t dense = 8 - (shape.folds_norms ? 2 : 0) - (shape.is_decode ? 1 : 0);
            // Instead of the last two: router with routing, gate and up, down with the weighted sum; many tokens
            // are routed, sorted and summed in dispatches of their own. The shared expert of these files is one more
            // choice.
            const uint32_t routed = dense - 2 + (shape.n_tokens > 32 ? 6 : 3);
            if (shape.n_tokens <= 32) CHECK(routed <= 7);
            size_t expected = 2 + (shape.n_outputs == 0 ? 0 : shape.folds_norms ? 1 : 3);
            for (uint32_t il = 0; il < config.n_layers; ++il) expected += config.is_routed(il) ? routed : dense;
            CHECK(plan.dispatches.size() == expected);
            CHECK(plan.n_barriers() <= plan.dispatches.size() - 1);
            // Activations are reused: far less than a layer's worth per layer.
            CHECK(plan.arena_bytes < uint64_t{shape.n_tokens} * 4 * 8 *
                                             (config.qkv_width() + config.n_ff + config.n_embd +
                                              config.experts.n_used * (config.experts.n_ff + config.n_embd)) +
                                         (1 << 20));
        }
    }
}
