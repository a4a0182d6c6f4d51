// Models of any size with random weights: real files in GGUF format for benchmarks and for tests of other engines, made
// in seconds. What such a model says is noise, what it costs is not.
#pragma once

#include "format/gguf_writer.h"
#include "format/tensor_type.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::benchmarks {

/// Which matrices get which type.
enum class TypeMix : uint8_t {
    uniform, ///< all the same, embedding and output perhaps another one
    k_m,     ///< as files named Q3_K_M, Q4_K_M and Q5_K_M: more bits where they help most
};

/// A type for every matrix whose name a pattern matches.
struct TypeRule {
    std::string pattern; ///< with * and ?, found anywhere in the name: "attn_v", "blk.0.*_shexp"
    format::TensorType type = format::TensorType::q8_0;
};

/// What to make. The defaults are the benchmark model of docs/benchmarking.md (preset llama-88m).
struct SyntheticOptions {
    std::string architecture = "llama";
    uint32_t n_layers = 12;
    uint32_t n_embd = 768;
    uint32_t n_ff = 2048; ///< of one expert where there are experts
    uint32_t n_heads = 12;
    uint32_t n_kv_heads = 4;
    uint32_t head_size = 64;
    uint32_t n_vocab = 8192;
    uint32_t context_length = 4096;
    uint32_t n_experts = 0; ///< 0: a dense model
    uint32_t n_experts_used = 2;
    uint32_t n_ff_shared = 0;                ///< of the shared expert; 0: as wide as the architecture's usually is
    uint32_t n_ff_dense = 0;                 ///< of the leading dense layers; 0: as wide as a token's experts together
    std::optional<uint32_t> n_leading_dense; ///< layers without experts; default: as the architecture usually has
    std::optional<bool> has_qk_norm;         ///< where an architecture has models of both kinds
    bool tied = false;                       ///< the token embedding is the output matrix too
    format::TensorType type = format::TensorType::q4_0; ///< of the matrices; norms, biases and routers are F32
    std::optional<format::TensorType> output_type;      ///< of token_embd and output; default: as the mix has them
    TypeMix mix = TypeMix::uniform;
    std::vector<TypeRule> type_rules; ///< stronger than all before, later ones than earlier ones
    uint64_t seed = 1;
};

/// A row of the table of presets.
struct SyntheticPreset {
    const char* name;
    const char* help;
    SyntheticOptions options;
};

/// llama-88m, 1b, 7b, ...
std::span<const SyntheticPreset> synthetic_presets();
/// Names of the architectures that can be made: all that the engine knows.
std::span<const char* const> synthetic_architectures();

/// Writes the model; the same options and seed give the same file. `progress` gets bytes done and in all. Throws Error
/// for options that make no model.
void write_synthetic_model(const std::filesystem::path& path, const SyntheticOptions& options,
                           const std::function<void(uint64_t done, uint64_t all)>& progress = {});

} // namespace vkinfer::benchmarks
