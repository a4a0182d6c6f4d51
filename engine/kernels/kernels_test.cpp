#include "kernels/fragment_map.h"
#include "kernels/ops.h"
#include "kernels/policy.h"
#include "kernels/shader_library.h"
#include "kernels/spirv_functions.h"
#include "kernels/spirv_reflection.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <set>
#include <string>

#include "base/error.h"

using namespace vkinfer;
using namespace vkinfer::kernels;

TEST_CASE("every shader has the bindings, push constants and specialisation constants of the manifest") {
    CHECK(all_shaders().size() > 30);
    for (const ShaderInfo& shader : all_shaders()) {
        INFO(std::string(shader.name));
        const SpirvInterface spirv = reflect(shader.spirv);
        CHECK(spirv.push_bytes == shader.push_bytes);
        CHECK(spirv.uses_cooperative_matrix == shader.coopmat);
        for (const uint32_t id : spirv.spec_ids) CHECK(id < shader.n_spec);
        CHECK(std::set(spirv.spec_ids.begin(), spirv.spec_ids.end()).size() == shader.n_spec);
        CHECK(spirv.bindings.size() == shader.n_bindings);
        for (const auto& [number, binding] : spirv.bindings) {
            INFO("binding ", number);
            REQUIRE(number < shader.n_bindings);
            CHECK(binding.set == 0);
            // What the manifest calls read must not be writable, or the barriers that follow from it are wrong.
            if (!writes(shader.bindings[number].access)) CHECK(binding.is_readonly);
        }
    }
}

TEST_CASE("functions are cut out of a module by name, with their calls") {
    for (const char* name : {"matvec_mixed.mixed", "gemm_mixed.mixed"}) {
        const ShaderInfo* shader = find_shader(name);
        REQUIRE(shader != nullptr);
        std::set<std::string> names;
        const auto note = [&](std::string_view function) {
            names.emplace(function.substr(0, function.find('(')));
            return false;
        };
        const auto whole = without_functions(shader->spirv, note); // names go, nothing else
        CHECK(names.contains("q4_k_weight_decode" + std::string(name[0] == 'g' ? "_halves" : "_int8")));
        const auto cut = without_functions(
            shader->spirv, [](std::string_view function) { return function.contains("_weight_decode"); });
        CHECK(3 * cut.size() < 2 * whole.size());
        const SpirvInterface before = reflect(shader->spirv), after = reflect(cut);
        CHECK(after.spec_ids == before.spec_ids);
        CHECK(after.push_bytes == before.push_bytes);
        CHECK(after.bindings.size() == before.bindings.size());
        CHECK(without_functions(cut, note) == cut); // no names left
    }
    CHECK_THROWS_AS(without_functions(std::vector<uint32_t>{1, 2, 3}, [](auto) { return false; }), Error);
    const auto some = find_shader("matvec_mixed.mixed")->spirv;
    CHECK_THROWS_AS(without_functions(some.first(6), [](auto) { return false; }), Error);
}

TEST_CASE("shaders are found by name") {
    for (const ShaderInfo& shader : all_shaders()) CHECK(find_shader(shader.name) == &shader);
    CHECK(find_shader("matvec") == nullptr);
    CHECK(find_shader("") == nullptr);
    CHECK(shader_library_hash() != 0);
}

TEST_CASE("every weight type has all kernels that take one") {
    for (const char* kernel : {"repack", "embed", "dequantize", "gemm_coopmat"}) {
        for (uint32_t id = 0; id < 64; ++id) {
            const format::TypeTraits* traits = format::find_traits(id);
            const WeightLayout* layout = traits == nullptr ? nullptr : find_weight_layout(traits->type);
            if (layout == nullptr) continue;
            INFO(kernel, " ", layout->shader_name);
            CHECK(find_shader(std::string(kernel) + "." + layout->shader_name) != nullptr);
            CHECK(find_shader(std::string("matvec.") + layout->shader_name + ".f32") != nullptr);
            CHECK((find_shader(std::string("matvec.") + layout->shader_name + ".q8") != nullptr) == layout->has_int8);
        }
    }
}

TEST_CASE("a repacked matrix is as large as the file's blocks, but for padding to a strip") {
    for (uint32_t id = 0; id < 64; ++id) {
        const format::TypeTraits* traits = format::find_traits(id);
        const WeightLayout* layout = traits == nullptr ? nullptr : find_weight_layout(traits->type);
        if (layout == nullptr) continue;
        INFO(traits->name);
        CHECK(weight_code_bytes(*layout, 48, 512) + weight_scale_bytes(*layout, 48, 512) ==
              48 * traits->row_bytes(512));
        CHECK(weight_code_bytes(*layout, 33, 512) == weight_code_bytes(*layout, 48, 512));
        // 64-bit sizes: a matrix of 200 GiB
        CHECK(weight_code_bytes(*layout, uint64_t{1} << 21, uint64_t{1} << 21) > uint64_t{1} << 38);
    }
}

namespace {

gpu::Capabilities gpu_like(uint32_t subgroup, bool coopmat) {
    gpu::Capabilities c;
    c.device_type = gpu::DeviceType::discrete;
    c.subgroup_size = 64;
    c.min_subgroup_size = subgroup;
    c.max_subgroup_size = 64;
    c.subgroup_size_control = true;
    c.float16 = true;
    c.integer_dot_product = c.dot_4x8_signed_accelerated = true;
    c.cooperative_matrix = coopmat;
    using enum gpu::ComponentType;
    if (coopmat) {
        c.coopmat_shapes = {{16, 16, 16, f16, f16, f16, f16, true, false},
                            {16, 16, 16, f16, f16, f32, f32, true, false},
                            {16, 16, 32, s8, s8, s32, s32, true, false}};
    }
    return c;
}

} // namespace

TEST_CASE("the policy follows capabilities and options") {
    const Policy rdna4 = choose_policy(gpu_like(32, true), {});
    CHECK(rdna4.coopmat);
    CHECK(rdna4.subgroup_size == 32);
    CHECK(rdna4.tiles.frag_m == 16);
    CHECK_FALSE(choose_policy(gpu_like(32, true), {CoopmatMode::off, ActivationMode::automatic}).coopmat);
    CHECK_FALSE(choose_policy(gpu_like(32, true), {CoopmatMode::automatic, ActivationMode::f32}).coopmat);
    CHECK_FALSE(choose_policy(gpu_like(32, false), {}).coopmat);
    CHECK(choose_policy(gpu_like(32, false), {CoopmatMode::automatic, ActivationMode::q8}).int8_activations);
    CHECK(rdna4.int8_activations);
    CHECK_FALSE(choose_policy(gpu_like(32, true), {CoopmatMode::automatic, ActivationMode::f16}).int8_activations);
    gpu::Capabilities slow = gpu_like(32, true);
    slow.dot_4x8_signed_accelerated = false;
    CHECK_FALSE(choose_policy(slow, {}).int8_activations);
    slow = gpu_like(8, false);
    slow.device_type = gpu::DeviceType::cpu;
    CHECK_FALSE(choose_policy(slow, {}).int8_activations);
    CHECK_THROWS_AS(choose_policy(gpu_like(32, false), {CoopmatMode::on, ActivationMode::automatic}), Error);
    CHECK_THROWS_AS(choose_policy(gpu_like(32, true), {CoopmatMode::on, ActivationMode::f32}), Error);
}

TEST_CASE("option names") {
    CHECK(parse_coopmat_mode("on") == CoopmatMode::on);
    CHECK_FALSE(parse_coopmat_mode("yes"));
    CHECK(parse_activation_mode("q8") == ActivationMode::q8);
    CHECK_FALSE(parse_activation_mode("int8"));
}

namespace {

/// What the probe finds on a device whose lanes hold these elements; `k_of` and `row_of` take a lane and an element.
template<class K, class Row>
std::vector<uint32_t> probe_answer(const CoopmatTiles& t, uint32_t n_operand, K k_of, uint32_t n_sums, Row row_of) {
    std::vector<uint32_t> found(uint64_t{3} * t.subgroup_size * kMaxFragmentElements, ~0u);
    for (uint32_t lane = 0; lane < t.subgroup_size; ++lane) {
        const auto at = [&](uint32_t use, uint32_t i) -> uint32_t& {
            return found[(uint64_t{use} * t.subgroup_size + lane) * kMaxFragmentElements + i];
        };
        for (uint32_t i = 0; i < n_operand; ++i) {
            at(0, i) = lane % t.frag_m * t.frag_k + k_of(lane, i);
            at(1, i) = k_of(lane, i) * t.frag_n + lane % t.frag_n;
        }
        for (uint32_t i = 0; i < n_sums; ++i) at(2, i) = row_of(lane, i) * t.frag_n + lane % t.frag_n;
    }
    return found;
}

} // namespace

TEST_CASE("fragment maps of RDNA3, RDNA4, and of no known form") {
    const CoopmatTiles wave32{};
    const auto gfx11 = probe_answer(
        wave32, 16, [](uint32_t, uint32_t i) { return i; }, 8,
        [](uint32_t lane, uint32_t i) { return 2 * i + lane / 16; });
    CHECK(read_fragment_map(wave32, gfx11) == FragmentMap{1, AccumulatorRows::apart});
    const auto gfx12 = probe_answer(
        wave32, 8, [](uint32_t lane, uint32_t i) { return lane / 16 * 8 + i; }, 8,
        [](uint32_t lane, uint32_t i) { return lane / 16 * 8 + i; });
    CHECK(read_fragment_map(wave32, gfx12) == FragmentMap{2, AccumulatorRows::together});

    auto odd = gfx12;
    std::swap(odd[0], odd[1]);
    CHECK(read_fragment_map(wave32, odd) == FragmentMap{});
    CHECK_FALSE(read_fragment_map(wave32, std::vector<uint32_t>(gfx12.size(), ~0u)).has_value()); // nothing ran
}
