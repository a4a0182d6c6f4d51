// What the files that lower ops to dispatches share; for them only.
#pragma once

#include "base/error.h"
#include "kernels/ops.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace vkinfer::kernels {

inline uint32_t ceil_div(uint32_t a, uint32_t b) {
    return (a + b - 1) / b;
}

/// Of the manifest; a name that is not there is a bug.
inline const ShaderInfo* shader_of(std::string_view name) {
    const ShaderInfo* info = find_shader(name);
    VKINFER_ASSERT(info != nullptr);
    return info;
}

/// Rounds rows of x, as long as a weight's, to int8 blocks for products with it: rows_per_count for each of a counter.
/// Bindings: counts, x, codes, scales.
Dispatch quantise_rows(const Weight& weight, uint32_t x_stride, uint32_t n_rows, uint32_t rows_per_count,
                       RowCount count, std::vector<uint32_t> bindings);
/// Bytes of their codes and of their scales.
std::vector<uint64_t> quantised_bytes(const Weight& weight, uint32_t n_rows);

} // namespace vkinfer::kernels
