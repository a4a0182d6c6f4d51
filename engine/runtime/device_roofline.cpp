#include "runtime/device_roofline.h"

#include "gpu/device.h"
#include "gpu/instance.h"
#include "kernels/pipeline_store.h"
#include "runtime/runner_options.h"

#include <format>

namespace vkinfer::runtime {

DeviceRoofline measure_device(const EngineOptions& options) {
    RunnerOptions runner;
    runner.coopmat = options.coopmat;
    runner.act = options.act;
    const gpu::Instance instance({.validation = options.validation, .log = options.log});
    gpu::DeviceOptions device_options;
    device_options.pipeline_cache.enabled = false;
    gpu::Device device(instance, options.device, device_options);
    kernels::PipelineStore pipelines(device);
    const kernels::Policy policy = kernels::choose_policy(device.capabilities(), policy_options(runner));
    const gpu::DeviceInfo& info = device.info();
    return {.device = std::format("{} ({} {})", info.name, info.driver_name, info.driver_info),
            .roofline = kernels::measure_roofline(device, pipelines, policy),
            .uses_matrices = policy.coopmat};
}

} // namespace vkinfer::runtime
