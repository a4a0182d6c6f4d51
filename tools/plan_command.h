// `vkinfer plan`: where a model's memory goes on a device, from the header of its file.
#pragma once

#include "runtime/plan_model.h"
#include "tools/command.h"

#include <string>

namespace vkinfer::tools {

CommandBody add_plan_command(CLI::App& app);

std::string plan_text(const runtime::PlannedModel& planned, const memory::DeviceProfile& profile);
/// With `predicts` and in prediction_text(): estimated speed (runtime/predict.h). Throw Error{not_found} for devices
/// whose rates are not known.
std::string plan_json(const runtime::PlannedModel& planned, const memory::DeviceProfile& profile,
                      bool predicts = false);
std::string prediction_json(const runtime::PlannedModel& planned, const memory::DeviceProfile& profile);
std::string prediction_text(const runtime::PlannedModel& planned, const memory::DeviceProfile& profile);

} // namespace vkinfer::tools
