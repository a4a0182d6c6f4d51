// What a model needs on a device, from the header of its file alone, and the context that fits: the same requests are
// placed for `vkinfer plan`, which has no GPU, and by the runner, which then allocates exactly that plan.
#pragma once

#include "format/gguf_file.h"
#include "graph/step_layout.h"
#include "kernels/policy.h"
#include "memory/planner.h"
#include "models/architecture.h"
#include "runtime/step_shapes.h"
#include "runtime/weight_plan.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace vkinfer::runtime {

inline constexpr uint32_t kPageTokens = 64;

/// What the user asked for.
struct MemoryWish {
    int32_t n_ctx = 0;   ///< tokens of one sequence; 0: what the model was trained with
    bool is_fit = false; ///< take less context, or smaller K/V types, when that much does not fit
    int32_t n_ubatch = 512;
    int32_t max_sequences = 1;
    int32_t max_logits = 0;                   ///< 0: max_sequences
    std::optional<format::TensorType> type_k; ///< nothing: f16, or smaller where that is fitted
    std::optional<format::TensorType> type_v;
    bool allow_spill = false;
    std::filesystem::path expert_stats; ///< as in RunnerOptions
    uint32_t spilled_experts = 0;
    /// Loading copies into device memory before it repacks; nothing: where device memory is a card's own.
    std::optional<bool> is_staged;
    bool samples_on_device = false; ///< logits of a card stay on the card, unless the host asks for them
    bool shares_layers = false;     ///< share_layers(): for tests

    int32_t max_batch() const { return std::max(n_ubatch, max_sequences); }
    int32_t n_logits() const { return max_logits > 0 ? std::min(max_logits, max_batch()) : max_sequences; }
};

/// Heads of K and V that a layer keeps per token.
struct KvLayer {
    uint32_t layer = 0;
    uint32_t n_heads = 0;
    uint32_t k_size = 0;
    uint32_t v_size = 0;
};

/// The parts of a model's memory that do not depend on the context, and what to compute the others from.
struct ModelMemory {
    std::string file_name;
    const models::Architecture* architecture = nullptr; ///< null: an estimate
    models::ModelConfig config;                         ///< of a known architecture
    kernels::Policy policy;
    WeightPlan weights;                           ///< empty for an estimate
    std::vector<memory::Request> weight_requests; ///< one per item, or per tensor for an estimate
    std::vector<KvLayer> kv_layers;
    uint64_t state_bytes = 0; ///< recurrent state of all sequences
    uint32_t n_ctx_train = 0;
    uint64_t n_vocab = 0;
    std::vector<float> expert_shares; ///< share of tokens that choose each expert of each layer; empty: not known
    uint64_t estimated_arena_bytes = 0;
    graph::StepLayout step;      ///< without max_pages and max_tiles
    std::string estimate_reason; ///< why it is an estimate

    bool is_estimate() const { return architecture == nullptr; }
};

/// Reads the header. An architecture or tensor type that cannot run here gives an estimate where `allow_estimate`, else
/// the Error that says so. `policy` decides which kernels run, and so what they need.
ModelMemory describe_memory(const format::GgufFile& file, const kernels::Policy& policy, const MemoryWish& wish,
                            bool allow_estimate = false);

StepShapes step_shapes(const ModelMemory& model, const MemoryWish& wish, format::TensorType type_k,
                       format::TensorType type_v);

/// What steps need beside weights and cache.
struct Activations {
    uint64_t arena_bytes = 0;   ///< of the largest plan
    uint64_t binding_bytes = 0; ///< the largest tensor in it
    uint32_t max_tiles = 0;
};
/// Compiles the largest plans without a device.
Activations measure_activations(const ModelMemory& model, const MemoryWish& wish, format::TensorType type_k,
                                format::TensorType type_v);

/// Requests in a fixed order: weights, then K and V of each layer, then one of each of the rest.
struct RequestList {
    std::vector<memory::Request> requests;
    size_t first_kv = 0; ///< K of the first layer; V follows, then the next layer
    size_t step = 0, logits = 0, arena = 0, ring = 0;
    std::optional<size_t> card_logits; ///< where kernels write them; then `logits` is the host's copy
    std::optional<size_t> stage;       ///< the ring's copy in device memory
    graph::StepLayout step_layout;
};
RequestList memory_requests(const ModelMemory& model, const MemoryWish& wish, const Activations& activations,
                            int32_t n_ctx, format::TensorType type_k, format::TensorType type_v);

/// The decision: how much context, in which types, and where everything goes.
struct MemoryDecision {
    int32_t n_ctx = 0;
    format::TensorType type_k = format::TensorType::f16;
    format::TensorType type_v = format::TensorType::f16;
    bool is_reduced = false; ///< less context or smaller types than the model's own and f16
    RequestList list;
    memory::Plan plan;
    uint64_t kv_bytes_per_token = 0;
    std::vector<std::string> arithmetic; ///< lines for people: every term of the sum
};

/// Throws Error{out_of_memory} with all sums, what would fit instead, and which kernel limit stands in the way;
/// Error{unsupported} when a K/V type or a device limit rules it out.
MemoryDecision decide_memory(const ModelMemory& model, const memory::DeviceProfile& profile, const MemoryWish& wish);

/// "q8_0": the name as options have it.
std::string option_name(format::TensorType type);

/// A slot of the loading ring; loading reads file pages, so tensors that start in the middle of one need two more.
uint64_t ring_slot_bytes(uint64_t file_bytes, uint64_t largest_strip_bytes);
inline constexpr uint32_t kRingSlots = 6;

} // namespace vkinfer::runtime
