// `vkinfer-bench --roofline`: what a test achieved, as shares of what the device gave in the same run.
#pragma once

#include "runtime/device_roofline.h"
#include "runtime/step_profile.h"
#include "tools/bench_output.h"

#include <string>

namespace vkinfer::tools {

/// "pp512: 1.2 GB/s (9 % of read, 12 % of copy), 0.04 TFLOP/s (...)": work of the profile over the measured time. Bytes
/// and flops are those that the plan's dispatches cannot avoid.
std::string roofline_text(const BenchResult& result, const runtime::StepProfile& work,
                          const runtime::DeviceRoofline& device);

/// The same as fields for JSON.
void add_roofline_fields(BenchResult& result, const runtime::StepProfile& work, const runtime::DeviceRoofline& device);

} // namespace vkinfer::tools
