#include "runtime/plan_model.h"

#include "kernels/fragment_map.h"
#include "runtime/runner_options.h"

namespace vkinfer::runtime {

PlannedModel plan_model(const EngineOptions& options, const memory::DeviceProfile& profile) {
    const RunnerOptions runner = runner_options(options, 0);
    const format::GgufFile file = format::GgufFile::open_header(runner.model);
    PlannedModel planned;
    planned.wish = memory_wish(runner);
    kernels::Policy policy = kernels::choose_policy(profile.capabilities, policy_options(runner));
    policy.fragments = kernels::expected_fragment_map(policy, profile.info.name);
    planned.model = describe_memory(file, policy, planned.wish, true);
    planned.decision = decide_memory(planned.model, profile, planned.wish);
    return planned;
}

} // namespace vkinfer::runtime
