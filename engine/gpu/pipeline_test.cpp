#include "base/error.h"
#include "gpu/command_list.h"
#include "gpu/pipeline.h"
#include "gpu/testing/scale.spv.h"
#include "gpu/testing/subgroup.spv.h"
#include "gpu/testing/test_device.h"
#include "gpu/transfer.h"

#include <doctest/doctest.h>

using namespace vkinfer;
using namespace vkinfer::gpu;

namespace {

ErrorKind kind_of(Device& device, const PipelineDesc& desc) {
    try {
        const Pipeline pipeline(device, desc);
    } catch (const Error& error) {
        return error.kind();
    }
    return ErrorKind::cancelled;
}

} // namespace

TEST_CASE("pipelines get every subgroup size that the device offers") {
    testing::TestDevice device;
    const Capabilities& capabilities = device->capabilities();
    CHECK(capabilities.can_use_subgroup_size(capabilities.subgroup_size));
    const Buffer result(device, {.size_bytes = 8, .name = "result"});
    for (uint32_t size = 1; size <= 256; size *= 2) {
        const uint32_t specialization[] = {size * 2};
        const PipelineDesc desc{.name = "subgroup",
                                .spirv = k_subgroup_spirv,
                                .specialization = specialization,
                                .n_bindings = 1,
                                .subgroup_size = size,
                                .full_subgroups = capabilities.full_subgroups};
        if (!capabilities.can_use_subgroup_size(size)) {
            CHECK(kind_of(device, desc) == ErrorKind::unsupported);
            continue;
        }
        const Pipeline pipeline(device, desc);
        CHECK(pipeline.subgroup_size() == size);
        CommandList list(device, {.name = "subgroup"});
        list.dispatch(pipeline, {}, std::initializer_list<BufferRange>{result}, 1);
        list.end();
        device->submit(list);
        if (device.executes()) {
            CHECK(read_buffer<uint32_t>(device, result, 2) == std::vector<uint32_t>{size, size});
        }
    }
}

TEST_CASE("pipelines that cannot be are errors") {
    testing::TestDevice device;
    const uint32_t not_spirv[] = {1, 2, 3, 4, 5, 6};
    CHECK(kind_of(device, {.name = "words", .spirv = not_spirv}) == ErrorKind::unsupported);
    CHECK(kind_of(device, {.name = "push", .spirv = k_scale_spirv, .push_bytes = 1 << 20, .n_bindings = 2}) ==
          ErrorKind::unsupported);
    CHECK(kind_of(device, {.name = "push", .spirv = k_scale_spirv, .push_bytes = 7, .n_bindings = 2}) ==
          ErrorKind::unsupported);
}

TEST_CASE("pipeline statistics") {
    testing::TestDevice device({.capture_statistics = true});
    const uint32_t specialization[] = {64, 5};
    const Pipeline pipeline(
        device,
        {.name = "scale", .spirv = k_scale_spirv, .specialization = specialization, .push_bytes = 8, .n_bindings = 2});
    if (!device->capabilities().executable_properties) {
        CHECK_THROWS_AS(pipeline.stats(), Error);
        return;
    }
    const PipelineStats stats = pipeline.stats();
    CHECK_FALSE(stats.statistics.empty());
    if (device->info().driver_name == "radv") {
        CHECK(stats.subgroup_size >= 32);
        CHECK(stats.vgprs.value_or(0) > 0);
        CHECK(stats.sgprs.value_or(0) > 0);
        CHECK(stats.spilled_vgprs == 0u);
        CHECK(stats.spilled_sgprs == 0u);
        CHECK(stats.scratch_bytes == 0u);
        CHECK(stats.lds_bytes == 0u);
        CHECK(stats.subgroups_per_simd.value_or(0) > 0);
        CHECK(stats.code_bytes.value_or(0) > 0);
        CHECK(stats.instructions.value_or(0) > 5);
        CHECK_FALSE(stats.isa().empty());
        CHECK(stats.count_instructions("s_endpgm") == 1);
        CHECK(stats.count_instructions("v_wmma") == 0);
    }
}

TEST_CASE("statistics have to be asked for") {
    testing::TestDevice device;
    const uint32_t specialization[] = {64, 5};
    const Pipeline pipeline(
        device,
        {.name = "scale", .spirv = k_scale_spirv, .specialization = specialization, .push_bytes = 8, .n_bindings = 2});
    CHECK_THROWS_AS(pipeline.stats(), Error);
}

TEST_CASE("instruction counting sees both halves of dual issue") {
    PipelineStats stats;
    stats.texts.push_back({"Assembly", "\tv_dot4_i32_iu8 v1, v2, v3 ; abc\n  v_add v1 :: v_dot4_x v2\nv_wmma_f32\n"});
    CHECK(stats.count_instructions("v_dot4") == 2);
    CHECK(stats.count_instructions("v_wmma") == 1);
}
