// The sixteen values of a 4-bit float (E2M1: sign, two exponent bits, one mantissa bit), doubled so that they are
// whole.
#pragma once

#include <cstdint>

namespace vkinfer::format::types {

/// Code 8 is a negative zero in E2M1 and a plain zero here.
inline constexpr int8_t kFp4Doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

} // namespace vkinfer::format::types
