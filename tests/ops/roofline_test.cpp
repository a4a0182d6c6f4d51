// The kernels that measure a device's roofs do the work that they are timed for, and store nothing that nobody reads.
#include "gpu/command_list.h"
#include "kernels.gen.h"
#include "ops/harness.h"

#include <algorithm>
#include <bit>
#include <doctest/doctest.h>
#include <string>

using namespace vkinfer;
using namespace vkinfer::test;
namespace shader = kernels::shader;

namespace {

void dispatch(const kernels::Dispatch& d, const std::vector<std::byte>& push, std::span<const gpu::BufferRange> bound,
              uint32_t n_groups) {
    gpu::CommandList commands(harness().device(), {.name = "roofline"});
    commands.dispatch(harness().pipelines().get(d), push, bound, n_groups, 1);
    commands.end();
    harness().device().wait(harness().device().submit(commands));
}

kernels::Dispatch of(const std::string& name) {
    kernels::Dispatch d;
    d.shader = kernels::find_shader(name);
    REQUIRE(d.shader != nullptr);
    return d;
}

} // namespace

TEST_CASE("roofline of memory: reading stores nothing, copying copies") {
    OpHarness& h = harness();
    constexpr uint32_t kLocal = 256, kGroups = 3, kVectors = 2 * 8 * kLocal;
    const std::vector<float> values = random_floats(uint64_t{4} * kGroups * kVectors, 1);
    const gpu::Buffer source = h.buffer(values);
    for (const uint32_t copies : {0u, 1u}) {
        const gpu::Buffer target = h.buffer(values.size() * 4);
        kernels::Dispatch d = of("roofline_memory");
        d.specialization = kernels::spec_words(shader::RooflineMemorySpec{.local_size = kLocal, .copies = copies});
        const shader::RooflineMemoryPush push{
            .source = source.address(), .target = target.address(), .vectors_per_group = kVectors};
        dispatch(d, kernels::push_bytes(push, shader::kRooflineMemoryPushBytes), {}, kGroups);
        const auto got = h.read<uint32_t>(target, values.size());
        if (copies)
            CHECK(std::ranges::equal(got, values, {}, {}, [](float x) { return std::bit_cast<uint32_t>(x); }));
        else
            CHECK(std::ranges::all_of(got, [](uint32_t x) { return x == 0x7fc0dead; }));
    }
}

TEST_CASE("roofline of arithmetic stores nothing") {
    OpHarness& h = harness();
    for (const char* kind : {"f32", "dot"}) {
        if (std::string(kind) == "dot" && !h.capabilities().integer_dot_product) continue;
        const gpu::Buffer target = h.buffer(64);
        kernels::Dispatch d = of(std::string("roofline_alu.") + kind);
        d.specialization = kernels::spec_words(shader::RooflineAluSpec{.local_size = 64});
        const shader::RooflineAluPush push{
            .target = target.address(), .n_rounds = 3, .factor = std::bit_cast<uint32_t>(0.5f)};
        dispatch(d, kernels::push_bytes(push, shader::kRooflineAluPushBytes), {}, 2);
        CHECK(h.read<uint32_t>(target, 1)[0] == 0x7fc0dead);
    }
}

TEST_CASE("roofline of matrices: the sums that it starts from without a round, nothing stored with one") {
    OpHarness& h = harness();
    if (!h.capabilities().cooperative_matrix) return;
    using enum gpu::ComponentType;
    const kernels::Policy policy = h.policy();
    for (const bool is_int8 : {false, true}) {
        const auto shape = std::ranges::find_if(h.capabilities().coopmat_shapes, [&](const gpu::CoopmatShape& s) {
            return s.subgroup_scope && !s.saturating && s.a == (is_int8 ? s8 : f16) && s.b == s.a &&
                   s.c == (is_int8 ? s32 : f32) && s.result == s.c;
        });
        if (shape == h.capabilities().coopmat_shapes.end()) continue;
        const gpu::Buffer source = h.buffer(std::vector<uint32_t>(4096, 0x01010101));
        for (const uint32_t rounds : {0u, 2u}) {
            const gpu::Buffer result = h.buffer(uint64_t{4} * shape->m * shape->n);
            kernels::Dispatch d = of(is_int8 ? "roofline_matrix.s8" : "roofline_matrix.f16");
            d.specialization = kernels::spec_words(shader::RooflineMatrixSpec{
                .local_size = policy.subgroup_size, .frag_m = shape->m, .frag_n = shape->n, .frag_k = shape->k});
            d.subgroup_size = policy.require_subgroup_size ? policy.subgroup_size : 0;
            const gpu::BufferRange bound[] = {gpu::BufferRange(source), gpu::BufferRange(result)};
            dispatch(
                d,
                kernels::push_bytes(shader::RooflineMatrixPush{.n_rounds = rounds}, shader::kRooflineMatrixPushBytes),
                bound, 1);
            const uint32_t expected = rounds > 0 ? 0x7fc0dead : is_int8 ? 6 : std::bit_cast<uint32_t>(6.0f);
            const auto got = h.read<uint32_t>(result, uint64_t{shape->m} * shape->n);
            CHECK(std::ranges::all_of(got, [&](uint32_t x) { return x == expected; }));
        }
    }
}
