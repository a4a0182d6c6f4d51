#include "kernels/weight_layout.h"

#include "base/error.h"

namespace vkinfer::kernels {

namespace {

uint64_t n_tiles(const WeightLayout& layout, uint64_t n_rows, uint64_t n_cols) {
    return (n_rows + kStripRows - 1) / kStripRows * (n_cols / layout.tile_elements);
}

} // namespace

const WeightLayout* find_weight_layout(format::TensorType type) {
    for (const WeightLayout& layout : all_weight_layouts()) {
        if (layout.type == type) return &layout;
    }
    return nullptr;
}

uint32_t weight_type_number(const WeightLayout& layout) {
    return static_cast<uint32_t>(&layout - all_weight_layouts().data());
}

std::string supported_weight_types() {
    std::string names;
    for (const WeightLayout& layout : all_weight_layouts()) {
        if (!names.empty()) names += ", ";
        names += format::to_string(layout.type);
    }
    return names;
}

uint64_t weight_code_bytes(const WeightLayout& layout, uint64_t n_rows, uint64_t n_cols) {
    return n_tiles(layout, n_rows, n_cols) * kStripRows * 16 * layout.code_granules;
}

uint64_t weight_scale_bytes(const WeightLayout& layout, uint64_t n_rows, uint64_t n_cols) {
    return n_tiles(layout, n_rows, n_cols) * kStripRows * layout.scale_bytes;
}

Weight slice_rows(const Weight& stacked, uint32_t first_row, uint32_t n_rows) {
    VKINFER_ASSERT(first_row % kStripRows == 0 && first_row + n_rows <= stacked.n_rows);
    const WeightLayout& layout = *find_weight_layout(stacked.type);
    Weight slice = stacked;
    slice.n_rows = n_rows;
    slice.codes += weight_code_bytes(layout, first_row, stacked.n_cols);
    slice.scales += weight_scale_bytes(layout, first_row, stacked.n_cols);
    if (slice.row_scales != 0) slice.row_scales += uint64_t{first_row} * sizeof(float);
    return slice;
}

} // namespace vkinfer::kernels
