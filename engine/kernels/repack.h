// The dispatch that turns rows of a GGUF tensor into a part of a repacked matrix (shaders/repack.comp).
#pragma once

#include "kernels/dispatch.h"
#include "kernels/weight_layout.h"

#include <cstdint>

namespace vkinfer::kernels {

/// Bytes behind the rows that the kernel may read: it loads whole words.
inline constexpr uint64_t kRepackSlackBytes = 4;

struct Repack {
    uint64_t source = 0; ///< device address of the first row of first_strip, as the file has it
    uint64_t codes = 0;  ///< of the whole matrix
    uint64_t scales = 0;
    uint32_t n_rows = 0; ///< of the whole matrix
    uint32_t n_cols = 0;
    uint32_t first_strip = 0;
    uint32_t n_strips = 0;
};

/// Which pipeline repacks rows of n_cols elements.
Dispatch repack_kernel(const WeightLayout& layout, uint32_t n_cols);
/// The same with push constants and group counts; n_strips is at most 65535, which every device allows.
Dispatch repack(const WeightLayout& layout, const Repack& what);

} // namespace vkinfer::kernels
