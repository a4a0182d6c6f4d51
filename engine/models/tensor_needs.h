// Small helpers with which families list their tensors.
#pragma once

#include "models/architecture.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::models {

/// "blk.3.attn_norm.weight"
std::string blk(uint32_t layer, std::string_view name);

/// Matrices that may be stacked into one: same type in the file and whole strips of rows each.
bool can_stack(const format::GgufFile& file, const std::vector<TensorNeed::Source>& sources);

/// One stacked matrix under `key`; or, where types differ, one of each run of sources that can be stacked, under the
/// name of its first.
void need_matrices(std::vector<TensorNeed>& needs, const format::GgufFile& file, const std::string& key,
                   std::vector<TensorNeed::Source> sources, uint32_t n_cols);

/// A vector of one source when the file has it.
void need_optional_vector(std::vector<TensorNeed>& needs, const format::GgufFile& file, const std::string& name,
                          uint32_t n);

} // namespace vkinfer::models
