// A float model -> a quantised one: which tensor becomes what type, and the conversion itself on all cores.
#pragma once

#include "format/gguf_file.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::format {

/// A named way to choose types: "Q4_K" (everything Q4_K, the output matrix Q6_K), "Q4_K_M" (more bits where they help).
struct QuantiseRecipe {
    const char* name;
    TensorType type;        ///< of most matrices
    TensorType output_type; ///< of the output matrix, or of the token embedding when that is both
    bool is_mix = false;    ///< half of attn_v and ffn_down get output_type, a fused attn_qkv gets Q5_K
    uint32_t file_type;     ///< general.file_type
    const char* help;
};

std::span<const QuantiseRecipe> quantise_recipes();
/// By name in any case; throws Error that lists the names.
const QuantiseRecipe& find_recipe(std::string_view name);

struct QuantiseOptions {
    bool pure = false;                     ///< every matrix gets the type of the recipe
    std::optional<TensorType> output_type; ///< instead of the recipe's
    std::optional<TensorType> token_embedding_type;
    uint32_t n_threads = 0; ///< 0: as many as the machine has
    bool measure = false;   ///< decode again and fill QuantisedTensor::relative_rmse
    /// Called on the thread that quantises, between pieces: elements done and in all, and the tensor.
    std::function<void(uint64_t done, uint64_t all, const std::string& tensor)> progress;
};

/// What became of a tensor.
struct QuantisedTensor {
    std::string name;
    TensorType from = TensorType::f32;
    TensorType to = TensorType::f32;
    uint64_t n_elements = 0;
    bool fell_back = false;   ///< its rows are no multiple of the wished block size
    double relative_rmse = 0; ///< root of squared error over squared values
};

/// The type that a tensor gets: norms, biases, routers, convolutions and tables stay as they are; rows that the wished
/// type cannot divide get a type with smaller blocks.
QuantisedTensor choose_type(const GgufFile& file, const TensorInfo& tensor, const QuantiseRecipe& recipe,
                            const QuantiseOptions& options);

/// Layer of "blk.<n>.…"; nothing for other names.
std::optional<uint32_t> layer_of(std::string_view tensor);
/// Whether mixes give a tensor more bits: values of attention and the last matrix of the feed-forward part, in the
/// first and last eighth of the layers and every third between.
bool gets_more_bits(std::string_view tensor, uint32_t n_layers);
/// `wished`, or a type with smaller blocks where it does not divide rows of `n_elements`.
TensorType type_for_rows(TensorType wished, uint64_t n_elements);

/// Writes the quantised model as one file. The source must hold F32, F16 or BF16 where it is to be quantised; throws
/// Error for quantised sources, and for values that are not finite.
std::vector<QuantisedTensor> quantise_model(const GgufFile& source, const std::filesystem::path& target,
                                            const QuantiseRecipe& recipe, const QuantiseOptions& options = {});

} // namespace vkinfer::format
