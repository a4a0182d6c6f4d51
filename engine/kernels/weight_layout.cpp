#include "kernels/weight_layout.h"

#include <array>

namespace vkinfer::kernels {

namespace {

using format::TensorType;

// One row per type with a GLSL include in shaders/include/weight; the manifest lists the same names.
constexpr std::array kLayouts = {
    WeightLayout{TensorType::f32, "f32", 8, 0, false},   WeightLayout{TensorType::f16, "f16", 4, 0, false},
    WeightLayout{TensorType::bf16, "bf16", 4, 0, false}, WeightLayout{TensorType::q8_0, "q8_0", 2, 2, true},
    WeightLayout{TensorType::q4_0, "q4_0", 1, 2, true},
};

uint64_t n_tiles(uint64_t n_rows, uint64_t n_cols) {
    return (n_rows + kStripRows - 1) / kStripRows * (n_cols / kBlockElements);
}

} // namespace

const WeightLayout* find_weight_layout(TensorType type) {
    for (const WeightLayout& layout : kLayouts) {
        if (layout.type == type) return &layout;
    }
    return nullptr;
}

std::string supported_weight_types() {
    std::string names;
    for (const WeightLayout& layout : kLayouts) {
        if (!names.empty()) names += ", ";
        names += format::to_string(layout.type);
    }
    return names;
}

uint64_t weight_code_bytes(const WeightLayout& layout, uint64_t n_rows, uint64_t n_cols) {
    return n_tiles(n_rows, n_cols) * kStripRows * 16 * layout.code_granules;
}

uint64_t weight_scale_bytes(const WeightLayout& layout, uint64_t n_rows, uint64_t n_cols) {
    return n_tiles(n_rows, n_cols) * kStripRows * layout.scale_bytes;
}

} // namespace vkinfer::kernels
