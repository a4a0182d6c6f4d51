// The dispatch that turns rows of a GGUF tensor into a part of a repacked matrix (shaders/repack.comp).
#pragma once

#include "kernels/dispatch.h"
#include "kernels/weight_layout.h"

#include <cstdint>

namespace vkinfer::kernels {

/// Bytes behind the rows that the kernel may read: it loads whole words.
inline constexpr uint64_t kRepackSlackBytes = 4;

struct Repack {
    uint64_t source = 0; ///< device address of the first element, rows as the file has them
    uint64_t codes = 0;  ///< of the whole matrix
    uint64_t scales = 0;
    uint32_t n_rows = 0;      ///< that are there
    uint32_t n_cols = 0;      ///< of the matrix
    uint32_t source_cols = 0; ///< from one row of the source to the next; 0: n_cols
    uint32_t first_row = 0;   ///< of the matrix that is made
    bool is_last = true;      ///< no other rows of the matrix follow: what is left of the last strip becomes zeros

    /// Rows begin or end inside of a strip that others fill.
    bool is_ragged() const { return first_row % kStripRows != 0 || (!is_last && n_rows % kStripRows != 0); }
};

/// With push constants and group counts; at most 65535 strips, which every device allows.
Dispatch repack(const WeightLayout& layout, const Repack& what);

} // namespace vkinfer::kernels
