#include "kernels/weight_layout.h"

#include <array>

namespace vkinfer::kernels {

namespace {

using format::TensorType;

// One row per type with a GLSL include in shaders/include/weight; the manifest lists the same names.
// clang-format off
constexpr std::array kLayouts = {
    //           type                 include    elements  granules  scale bytes  int8
    WeightLayout{TensorType::f32,     "f32",     32,  8,  0, false},
    WeightLayout{TensorType::f16,     "f16",     32,  4,  0, false},
    WeightLayout{TensorType::bf16,    "bf16",    32,  4,  0, false},
    WeightLayout{TensorType::q4_0,    "q4_0",    32,  1,  2, true},
    WeightLayout{TensorType::q4_1,    "q4_1",    32,  1,  4, true},
    WeightLayout{TensorType::q5_0,    "q5_0",    32,  1,  6, true},
    WeightLayout{TensorType::q5_1,    "q5_1",    32,  1,  8, true},
    WeightLayout{TensorType::q8_0,    "q8_0",    32,  2,  2, true},
    WeightLayout{TensorType::q2_k,    "q2_k",    256, 4,  20, false},
    WeightLayout{TensorType::q3_k,    "q3_k",    256, 6,  14, false},
    WeightLayout{TensorType::q4_k,    "q4_k",    256, 8,  16, true},
    WeightLayout{TensorType::q5_k,    "q5_k",    256, 10, 16, true},
    WeightLayout{TensorType::q6_k,    "q6_k",    256, 12, 18, false},
    WeightLayout{TensorType::iq4_nl,  "iq4_nl",  32,  1,  2, true},
    WeightLayout{TensorType::iq4_xs,  "iq4_xs",  256, 8,  8, true},
    WeightLayout{TensorType::tq1_0,   "tq1_0",   256, 3,  6, true},
    WeightLayout{TensorType::tq2_0,   "tq2_0",   256, 4,  2, true},
    WeightLayout{TensorType::mxfp4,   "mxfp4",   32,  1,  1, true},
    WeightLayout{TensorType::nvfp4,   "nvfp4",   64,  2,  4, false},
    WeightLayout{TensorType::q1_0,    "q1_0",    128, 1,  2, true},
    WeightLayout{TensorType::q2_0,    "q2_0",    64,  1,  2, true},
};
// clang-format on

uint64_t n_tiles(const WeightLayout& layout, uint64_t n_rows, uint64_t n_cols) {
    return (n_rows + kStripRows - 1) / kStripRows * (n_cols / layout.tile_elements);
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
    return n_tiles(layout, n_rows, n_cols) * kStripRows * 16 * layout.code_granules;
}

uint64_t weight_scale_bytes(const WeightLayout& layout, uint64_t n_rows, uint64_t n_cols) {
    return n_tiles(layout, n_rows, n_cols) * kStripRows * layout.scale_bytes;
}

} // namespace vkinfer::kernels
