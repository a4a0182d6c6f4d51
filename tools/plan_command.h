// `vkinfer plan`: where a model's memory goes on a device, from the header of its file.
#pragma once

#include "runtime/plan_model.h"
#include "tools/command.h"

#include <string>

namespace vkinfer::tools {

CommandBody add_plan_command(CLI::App& app);

std::string plan_text(const runtime::PlannedModel& planned, const memory::DeviceProfile& profile);
std::string plan_json(const runtime::PlannedModel& planned, const memory::DeviceProfile& profile);

} // namespace vkinfer::tools
