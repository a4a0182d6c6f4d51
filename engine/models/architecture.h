// What an architecture family is to the rest of the engine: the tensors it wants and the graph of one step.
#pragma once

#include "graph/graph.h"
#include "models/config.h"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::format {
class GgufFile;
}

namespace vkinfer::models {

/// A tensor that the loader puts into device memory under `key`.
struct TensorNeed {
    enum class Kind : uint8_t {
        matrix,      ///< repacked for kernels; several sources of one type are stacked by rows
        vector,      ///< float32; several sources are joined, a source named "" stands for zeros of its size
        host_vector, ///< float32, only for the builder (LoadedModel::host_vectors)
    };
    struct Source {
        std::string name;    ///< name in the file
        uint32_t n_rows = 0; ///< of a matrix; length of a vector
        // A part of a matrix: where it begins, and how large the whole is (0: as large as the part).
        uint32_t first_row = 0;
        uint32_t first_col = 0;
        uint32_t all_rows = 0;
        uint32_t all_cols = 0;
    };
    std::string key;
    Kind kind = Kind::matrix;
    std::vector<Source> sources;
    uint32_t n_cols = 0; ///< row length of a matrix
    /// Of experts, which may be spilled one by one: part_rows rows of each follow each other, and again for up behind
    /// all gates. The last n_fixed_parts are read for every token.
    uint32_t n_parts = 0;
    uint32_t part_rows = 0;
    uint32_t n_fixed_parts = 0;
};

/// Device addresses of everything that was loaded.
struct LoadedModel {
    std::map<std::string, kernels::Weight, std::less<>> matrices;
    std::map<std::string, uint64_t, std::less<>> vectors;
    std::map<std::string, std::vector<float>, std::less<>> host_vectors;
    uint64_t rope_frequencies = 0; ///< RopeFrequencies::pairs
    float rope_magnitude = 1;
    uint64_t expert_load = 0; ///< device address of a counter per layer and expert, or 0: nobody counts
    struct Far {
        uint64_t address = 0; ///< of kernels::FarExperts
        uint32_t n_near = 0;
    };
    std::map<std::string, Far, std::less<>> far; ///< of matrices some of whose experts were spilled
    std::map<uint32_t, uint64_t> expert_homes;   ///< per layer with such: device address of the experts' places

    /// Null weight / 0 when the key was not loaded.
    kernels::Weight matrix(std::string_view key) const;
    uint64_t vector(std::string_view key) const;
};

/// The KV cache as the graph sees it.
struct KvConfig {
    format::TensorType type_k = format::TensorType::f16;
    format::TensorType type_v = format::TensorType::f16;
    uint32_t page_tokens = 64;
    uint32_t max_pages = 1; ///< of one sequence
    struct Layer {
        uint64_t k_pool = 0;
        uint64_t v_pool = 0;
    };
    std::vector<Layer> layers;
    uint64_t layer_bytes = 0; ///< K and V of a layer together, for hazards
};

/// The shape a plan is made for.
struct StepShape {
    uint32_t n_tokens = 1;
    uint32_t n_outputs = 1; ///< 0: no logits
    uint32_t n_tiles = 1;
    uint32_t rows_per_tile = 1;
    uint32_t n_splits = 1;
    bool folds_norms = false; ///< norms are part of the products around them
    bool is_decode = false;   ///< one token of each sequence, in tiles of that token's heads

    auto operator<=>(const StepShape&) const = default;
};

/// External tensors of a step's graph, by name; the runner binds them.
inline constexpr std::string_view kExternalCounts = "counts", kExternalTokens = "tokens", kExternalOutputs = "outputs",
                                  kExternalTiles = "tiles", kExternalPages = "pages", kExternalLogits = "logits";
/// Name of the external that stands for the K and V of a layer (reached by address).
std::string kv_external(uint32_t layer);

struct BuildInput {
    const ModelConfig& config;
    const LoadedModel& weights;
    const KvConfig& kv;
    StepShape shape;
};

/// One row of the registry.
struct Architecture {
    std::string_view name; ///< general.architecture
    ModelConfig (*read)(const format::GgufFile& file);
    std::vector<TensorNeed> (*tensors)(const ModelConfig& config, const format::GgufFile& file);
    graph::Graph (*build)(const BuildInput& input);
};

/// Throws Error{unsupported} that lists the known ones.
const Architecture& find_architecture(std::string_view name);
std::span<const Architecture> architectures();

} // namespace vkinfer::models
