// What the header of a model file tells: names, sizes, the share of each tensor type, memory needs. No GPU is involved.
#pragma once

#include "format/gguf_file.h"
#include "runtime/types.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vkinfer::runtime {

struct TypeShare {
    format::TensorType type = format::TensorType::f32;
    uint64_t n_tensors = 0;
    uint64_t n_elements = 0;
    uint64_t size_bytes = 0;
};

struct ModelSummary {
    std::string name;         ///< general.name, or the file's stem
    std::string architecture; ///< general.architecture
    std::string file_type;    ///< the recipe that the file names, else its dominant type: "Q4_K_M", "F16"
    std::string type;         ///< architecture, size and recipe: "qwen3 0.6B Q8_0"
    uint64_t n_params = 0;
    uint64_t size_bytes = 0;      ///< of all tensors
    uint64_t n_active_params = 0; ///< that one token uses: of experts those that it chooses, of the embedding no row
    uint64_t active_bytes = 0;    ///< of these
    std::vector<TypeShare> types; ///< largest share of bytes first
    int32_t n_vocab = 0;
    int32_t n_ctx_train = 0;
    int32_t n_embd = 0;
    int32_t n_layers = 0;
    int32_t n_heads = 0;
    std::vector<int32_t> n_heads_kv; ///< per layer; 0: a layer without K and V
    int32_t key_length = 0;          ///< elements of one head
    int32_t value_length = 0;
    std::string tokenizer; ///< tokenizer.ggml.model
    std::string pre_tokenizer;
    bool has_chat_template = false;
    SamplingParams default_sampling; ///< ours, with the file's general.sampling.* over them

    /// Bytes of the K and V cache of one sequence with n_ctx tokens. Throws Error{unsupported} for a type whose blocks
    /// do not divide a head.
    uint64_t kv_bytes(int32_t n_ctx, format::TensorType type_k, format::TensorType type_v) const;
};

/// Missing fields stay 0 or empty; only a missing architecture is an error.
ModelSummary summarise(const format::GgufFile& file);

/// Context and cache types that a memory need is computed for.
struct MemoryCase {
    int32_t n_ctx = 0;
    format::TensorType type_k = format::TensorType::f16;
    format::TensorType type_v = format::TensorType::f16;
};

struct MemoryNeed {
    uint64_t weights_bytes = 0;
    uint64_t kv_bytes = 0;
    uint64_t total_bytes() const { return weights_bytes + kv_bytes; }
};

/// What a model needs on any device: its tensors, which are as large there as in the file, and the cache of one
/// sequence. Work buffers depend on the device and are not in it. Throws as ModelSummary::kv_bytes does.
MemoryNeed memory_need(const ModelSummary& summary, const MemoryCase& memory);

/// "1.23 GiB", "45.6 MiB", "789 B".
std::string format_bytes(uint64_t n_bytes);

} // namespace vkinfer::runtime
