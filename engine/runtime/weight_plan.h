// What a model's weights become in device memory, before any of them is read: sizes from the header of the file alone.
// The loader fills exactly these places, and the memory planner counts exactly these bytes.
#pragma once

#include "format/gguf_file.h"
#include "kernels/weight_layout.h"
#include "memory/planner.h"
#include "models/architecture.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace vkinfer::runtime {

/// One matrix, or vector, in device memory.
struct WeightItem {
    models::TensorNeed need;
    const kernels::WeightLayout* layout = nullptr; ///< null for a vector
    format::TensorType type = format::TensorType::f32;
    uint64_t n_rows = 0;
    uint64_t row_scales_offset = 0; ///< of a matrix with factors per row (Weight::row_scales), else 0
    uint64_t size_bytes = 0;
    uint64_t file_bytes = 0;    ///< of its sources
    std::optional<size_t> twin; ///< the item whose memory this one uses (share_layers)

    /// Of the scales behind the codes.
    uint64_t scales_offset() const;
    /// From type, rows and columns.
    void set_sizes(bool has_row_scales);
};

struct WeightPlan {
    std::vector<WeightItem> items;              ///< in the order of loading; the last one is the rotary frequencies
    std::vector<models::TensorNeed> host_needs; ///< what only the builder reads
    std::vector<std::string> unused;            ///< tensors of the file that nobody asked for
    uint64_t file_bytes = 0;                    ///< of all matrices
    uint64_t largest_strip_bytes = 0;           ///< of a file's rows that are repacked together

    const WeightItem& rope_frequencies() const { return items.back(); }
    uint64_t size_bytes() const;
};

/// Throws Error that names the tensor: missing, of another shape, or of a type without kernel.
WeightPlan plan_weights(const format::GgufFile& file, std::span<const models::TensorNeed> needs,
                        const models::ModelConfig& config);

/// For tests with models that are larger than a device: layers use the memory of the first layer that looks the same,
/// whose weights are the only ones to be loaded. Plans are recorded as ever; what they compute is of no use.
void share_layers(WeightPlan& plan);

/// One request per item, in their order. `file` tells how many experts a token uses.
std::vector<memory::Request> weight_requests(const WeightPlan& plan, const format::GgufFile& file);

/// Layer number of a tensor "blk.<n>.<name>", or -1.
int32_t layer_of(std::string_view name);
/// Share of a tensor's bytes that one token reads: less than all for experts, 0 for embedding rows.
double read_share_of(std::string_view name, bool is_tied_head, uint32_t n_experts, uint32_t n_experts_used);

/// The model with each item at its address. Host vectors and codebooks are the loader's.
models::LoadedModel place_weights(const WeightPlan& plan, std::span<const uint64_t> addresses);
/// The same at invented addresses, to build graphs without a device.
models::LoadedModel place_weights_nowhere(const WeightPlan& plan);

/// The tensor with the factor of the products of X.weight: X.scale, one value or one for each expert of a stack. Null
/// when the file has none, or X.weight is of a type to which the name means something else (Gemma 4 scales the input of
/// its router so).
const format::TensorInfo* find_outer_factor(const format::GgufFile& file, std::string_view weight_name);

/// The tensor of a source; throws when it is missing or has another shape.
const format::TensorInfo& find_source(const format::GgufFile& file, const models::TensorNeed::Source& source,
                                      uint32_t n_cols);

} // namespace vkinfer::runtime
