// Which type each matrix of a synthetic model gets: one for all, the mixes of real files, and rules by name.
#pragma once

#include "benchmarks/synthetic_plan.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace vkinfer::benchmarks {

/// Sets the types of the tensors that take one. Types give way to ones with smaller blocks where they do not divide the
/// rows, as when a real model is quantised; rules do not. `expert_type`: of the experts, whatever options.type says.
/// Throws Error for types that are none of weights, for a mix that has no such type, and for rules that match nothing.
void choose_types(std::vector<PlannedTensor>& tensors, const SyntheticOptions& options,
                  std::optional<format::TensorType> expert_type);

/// general.file_type of a mix.
std::optional<uint32_t> mixed_file_type(const SyntheticOptions& options);

} // namespace vkinfer::benchmarks
