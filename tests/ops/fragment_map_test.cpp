// Fragments on a device that computes: what the probe says is what the kernels rely on.
#include "kernels/fragment_map.h"
#include "ops/harness.h"

#include <doctest/doctest.h>

using namespace vkinfer;
using namespace vkinfer::test;

TEST_CASE("a fragment's elements are all there, each in one lane or in copies") {
    OpHarness& h = harness();
    if (!h.capabilities().cooperative_matrix) return;
    const kernels::Policy policy = h.policy(kernels::CoopmatMode::on);
    const kernels::FragmentMap map = kernels::probe_fragment_map(h.device(), h.pipelines(), policy);
    // lavapipe's lanes own columns of A, which is none of the known forms: kernels load fragments from memory there.
    if (policy.is_cpu)
        CHECK_FALSE(map.is_known());
    else
        MESSAGE("fragments ", map.is_known() ? "known" : "unknown");
}
