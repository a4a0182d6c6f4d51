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

} // namespace vkinfer::kernels
