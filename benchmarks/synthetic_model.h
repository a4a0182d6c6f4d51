// Models of any size with random weights: real files in GGUF format for benchmarks and for tests of other engines, made
// in seconds. What such a model says is noise, what it costs is not.
#pragma once

#include "format/gguf_writer.h"
#include "format/tensor_type.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace vkinfer::benchmarks {

/// What to make. The defaults are the benchmark model of docs/benchmarking.md (preset llama-88m).
struct SyntheticOptions {
    std::string architecture = "llama";
    uint32_t n_layers = 12;
    uint32_t n_embd = 768;
    uint32_t n_ff = 2048;
    uint32_t n_heads = 12;
    uint32_t n_kv_heads = 4;
    uint32_t head_size = 64;
    uint32_t n_vocab = 8192;
    uint32_t context_length = 4096;
    uint32_t n_experts = 0; ///< 0: a dense model
    uint32_t n_experts_used = 2;
    bool tied = false;                                         ///< the token embedding is the output matrix too
    format::TensorType type = format::TensorType::q4_0;        ///< of the matrices; norms, biases and routers are F32
    format::TensorType output_type = format::TensorType::q4_0; ///< of token_embd and output
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
/// Names of the architectures that can be made.
std::span<const char* const> synthetic_architectures();

/// Writes the model; the same options and seed give the same file. `progress` gets bytes done and in all. Throws Error
/// for options that make no model.
void write_synthetic_model(const std::filesystem::path& path, const SyntheticOptions& options,
                           const std::function<void(uint64_t done, uint64_t all)>& progress = {});

} // namespace vkinfer::benchmarks
