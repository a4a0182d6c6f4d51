// The element types of GGUF tensors: ids, block sizes and the float32 reference for each. One file per type under
// types/, one row per type in tensor_types.def; nothing else in the project lists them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace vkinfer::format {

/// Element type of a tensor; the values are the ids of ggml, as they stand in files.
enum class TensorType : uint32_t {
#define VKINFER_TENSOR_TYPE(name, id) name = id,
#include "format/tensor_types.def"
#undef VKINFER_TENSOR_TYPE
};

enum class TypeKind : uint8_t {
    floating,   ///< one float per element
    integer,    ///< one integer per element: tables, never weights
    quantised,  ///< blocks of codes with scales
    activation, ///< quantised blocks that engines make at run time; a file never holds them
};

/// Decodes `n_elements` (whole blocks) from `blocks` into `values`. `blocks` need not be aligned.
using DequantiseFunction = void (*)(const std::byte* blocks, float* values, size_t n_elements);
/// Encodes `n_elements` (whole blocks) of finite `values`; never reads beyond them.
using QuantiseFunction = void (*)(const float* values, std::byte* blocks, size_t n_elements);

/// A codebook as kernels read it; every call gives the same words.
using KernelTable = std::span<const uint32_t> (*)();

/// What the rest of the project needs to know about a tensor type.
struct TypeTraits {
    TensorType type;
    const char* name;        ///< as users write it: "Q4_K"
    uint32_t block_elements; ///< elements that share one block; rows are whole blocks
    uint32_t block_bytes;
    TypeKind kind;
    DequantiseFunction dequantise = nullptr; ///< null for integers
    QuantiseFunction quantise = nullptr;     ///< null where nothing here writes the type
    KernelTable kernel_table = nullptr;      ///< of types whose codes are indices of a codebook
    bool has_outer_factor = false;           ///< products of X.weight are multiplied by X.scale where a file has it

    double bits_per_element() const { return 8.0 * block_bytes / block_elements; }
    /// Bytes of a row of `n_elements`, which must be whole blocks.
    uint64_t row_bytes(uint64_t n_elements) const { return n_elements / block_elements * block_bytes; }
};

/// Traits of a known type.
const TypeTraits& traits(TensorType type);
/// Traits by the id met in a file; null for an id that is unknown or was removed from ggml.
const TypeTraits* find_traits(uint32_t id);
/// Traits by name in any case ("q4_k", "Q4_K"); null when there is none.
const TypeTraits* find_traits(std::string_view name);
/// All types in the order of their ids.
std::span<const TypeTraits* const> all_traits();

/// Name of a type as users write it.
inline const char* to_string(TensorType type) {
    return traits(type).name;
}

} // namespace vkinfer::format
