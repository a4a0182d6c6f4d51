// Weights as kernels see them: repacked once at load into tiles of 16 rows x one block of the type (32 elements or a
// super-block), codes and scales apart. Kernels decode 32 elements at a time, whatever the tile.
#pragma once

#include "format/tensor_type.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace vkinfer::kernels {

inline constexpr uint32_t kStripRows = 16;
inline constexpr uint32_t kBlockElements = 32;

/// A type that kernels decode natively: an entry of `weights` in shaders/manifest.json, under the name of its GLSL
/// include.
struct WeightLayout {
    format::TensorType type;
    const char* shader_name; ///< "q4_0": the include under shaders/include/weight and the variant's name
    uint32_t tile_elements;  ///< of a row in a tile: 32 for plain types, else the block of the file
    uint32_t code_granules;  ///< 16-byte granules of a row in a tile
    uint32_t scale_bytes;    ///< bytes of scales of a row in a tile
    bool has_int8;           ///< decodes to int8 codes for packed dot products
};

/// In the order of the manifest; written by shaders/generate.py.
std::span<const WeightLayout> all_weight_layouts();
/// The layout of a type, or null when no kernel decodes it.
const WeightLayout* find_weight_layout(format::TensorType type);
/// Its number in shaders that take every type (weight_type in what shaders/generate.py writes).
uint32_t weight_type_number(const WeightLayout& layout);
/// "F32, F16, ...": for messages.
std::string supported_weight_types();

/// A repacked matrix in device memory. (n_rows, n_cols) with n_cols the length of a row, y = W x.
struct Weight {
    format::TensorType type = format::TensorType::f32;
    uint32_t n_rows = 0;
    uint32_t n_cols = 0;
    uint64_t codes = 0;  ///< device address
    uint64_t scales = 0; ///< device address; equals the end of codes when the type has no scales
    uint64_t table = 0;  ///< device address of the type's codebook (kernels/codebooks.h); 0 for types without one
    /// Device address of a float per row that the product is multiplied with (NVFP4's X.scale), or 0.
    uint64_t row_scales = 0;

    uint32_t n_blocks() const { return n_cols / kBlockElements; }
    uint32_t n_strips() const { return (n_rows + kStripRows - 1) / kStripRows; }
    explicit operator bool() const { return codes != 0; }
};

/// n_rows rows of a matrix from first_row on, which begins a strip: gate or up of a stack.
Weight slice_rows(const Weight& stacked, uint32_t first_row, uint32_t n_rows);

/// Bytes of the two planes of a repacked matrix; rows are padded to a whole strip.
uint64_t weight_code_bytes(const WeightLayout& layout, uint64_t n_rows, uint64_t n_cols);
uint64_t weight_scale_bytes(const WeightLayout& layout, uint64_t n_rows, uint64_t n_cols);

} // namespace vkinfer::kernels
