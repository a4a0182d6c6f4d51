// The last file of the program: what the manifest has and no case dispatched has no test.
#include "gpu/capabilities.h"
#include "kernels/shader_library.h"
#include "ops/harness.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <string>

using namespace vkinfer;
using namespace vkinfer::test;

TEST_CASE("every variant of the shader manifest was dispatched" * doctest::test_suite("every variant")) {
    const gpu::Capabilities& device = harness().capabilities();
    const std::vector<std::string> run = harness().shaders_run();
    size_t n_possible = 0, n_run = 0;
    std::string missing;
    for (const kernels::ShaderInfo& shader : kernels::all_shaders()) {
        if (shader.coopmat && !device.cooperative_matrix) continue;
        if (shader.name.ends_with(".q8") && !device.integer_dot_product) continue;
        ++n_possible;
        if (std::ranges::binary_search(run, shader.name))
            ++n_run;
        else
            missing += std::string(missing.empty() ? "" : ", ") + std::string(shader.name);
    }
    MESSAGE(n_run, " of ", n_possible, " variants that this device can run, of ", kernels::all_shaders().size());
    INFO("not dispatched: ", missing);
    CHECK(n_run == n_possible);
}
