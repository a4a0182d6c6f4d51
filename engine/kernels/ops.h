// Op descriptors: plain structs that say what is computed; the graph's nodes hold one each, lower() turns them into
// dispatches. Operands are listed per op in the order in which the node gives them. Widths and strides in elements.
#pragma once

#include "format/tensor_type.h"
#include "kernels/dispatch.h"
#include "kernels/policy.h"
#include "kernels/weight_layout.h"

#include <array>
#include <cstdint>
#include <optional>
#include <variant>

namespace vkinfer::kernels {

/// Which counter of the step bounds the rows of an op.
enum class RowCount : uint32_t { tokens = 0, outputs = 1 };

/// Rows x whose RMS norm is folded into the ops around it (shaders/include/normed.glsl): x * w, and behind all rows the
/// sums of x^2 over parts of each. An op with `next_norm` writes them beside x, one with `x_is_normed` reads them.
struct NormedRows {
    /// Of a tensor for n_rows rows, however many parts a device's kernels make.
    static uint64_t bytes(uint32_t n_rows, uint32_t n_cols) { return uint64_t{4} * n_rows * (n_cols + n_cols / 8); }
    /// Parts of a row: one for each workgroup of a mat-vec.
    static uint32_t n_parts(uint32_t n_cols, const Policy& policy);
};

/// x[t] = E[token t].  Operands: counts, tokens, y (n_tokens, stride); with next_norm also its NormedRows.
struct Embed {
    Weight weight;
    uint32_t n_tokens = 0;
    uint32_t stride = 0;
    uint64_t next_norm = 0; ///< device address of the weights of the norm after it, or 0
};

/// y = x * w / sqrt(mean(x^2) + eps).  Operands: counts, x, y.
struct RmsNorm {
    uint64_t weight = 0; ///< device address of n_cols floats
    uint32_t n_rows = 0;
    uint32_t n_cols = 0;
    uint32_t x_stride = 0;
    uint32_t y_stride = 0;
    float eps = 0;
    RowCount rows = RowCount::tokens;
    bool y_is_half = false; ///< see half_output()
};

/// y[t] = W x[t] (* row scales of the weight) (+ bias) (+ residual[t]), or silu(gate x) * up x for a stacked weight of
/// gate and up rows. Operands: counts, x (n_columns, x_stride), residual (n_columns, y_stride; repeat y when unused),
/// y; with next_norm y's NormedRows (y_stride = n_out then); with gathers the row of x for each column.
struct Linear {
    Weight weight; ///< is_glu: 2 * n_out rows, gate first
    /// Matrices of other types whose rows follow, n_out with those of `weight`; for a step's tokens up to
    /// kFoldedNormTokens, where of all options there are only the bias and x_is_normed.
    std::array<Weight, 2> below{};
    uint32_t n_out = 0;
    uint32_t n_columns = 0; ///< most tokens at once
    uint32_t x_stride = 0;
    uint32_t y_stride = 0;
    uint32_t y_offset = 0; ///< first element of each row of y that is written
    uint64_t bias = 0;     ///< device address of n_out floats, or 0
    bool has_residual = false;
    bool is_glu = false;
    bool keeps_f32 = false; ///< no rounding of activations: routers, where near ties must not flip
    RowCount columns = RowCount::tokens;
    bool x_is_normed = false; ///< x are NormedRows; then eps is the norm's
    float eps = 0;
    uint32_t x_rows = 0;    ///< rows of NormedRows x; 0: n_columns
    uint64_t next_norm = 0; ///< device address of the weights of the norm after it, or 0
    bool gathers = false;
    bool x_is_half = false; ///< see half_input()
    bool y_is_half = false;
    bool is_mixed() const { return static_cast<bool>(below[0]); }
    bool folds_norm() const { return x_is_normed || next_norm != 0 || gathers; }
};

/// Activations of gated products; numbers as in shaders/include/activation.glsl.
enum class Activation : uint32_t { none = 0, silu = 1, clamped_silu = 2 };

/// y = activation(gate, up).  Operands: counts, gate and up in rows of `stride`, y (n_tokens * rows_per_token, n_cols).
struct SwiGlu {
    uint32_t n_tokens = 0;
    uint32_t n_cols = 0;
    uint32_t stride = 0;
    uint32_t up_at = 0; ///< first element of a row of up: gate and up may be parts of the same rows
    uint32_t rows_per_token = 1;
    Activation activation = Activation::silu;
    bool y_is_half = false;
};

/// y[o] = x[outputs[o]].  Operands: counts, outputs, x, y.
struct GatherRows {
    uint32_t n_outputs = 0;
    uint32_t n_cols = 0;
    uint32_t x_stride = 0;
    uint32_t y_stride = 0;
};

/// cos and sin per token and rotary pair.  Operands: counts, tokens, table (n_tokens, n_pairs) of two floats, and with
/// n_arrivals those counters, which become zero for the step's attention.
struct RopeTable {
    uint64_t frequencies = 0; ///< device address of n_pairs turns per token in 64-bit fixed point
    uint32_t n_tokens = 0;
    uint32_t n_pairs = 0;
    float magnitude = 1;
    uint32_t n_arrivals = 0;
};

enum class RopeKind : uint32_t { none = 0, neox = 1, norm = 2 };

/// Geometry of attention heads and of the KV cache of one layer, shared by the two ops that touch it.
struct AttentionShape {
    uint32_t n_heads = 0;
    uint32_t n_kv_heads = 0;
    uint32_t head_size = 0;  ///< of Q and K
    uint32_t value_size = 0; ///< of V; 0: as K
    /// V is the first value_size dimensions of K's rows (MLA): type_v and v_pool are K's, and qkv has no V.
    bool is_latent = false;
    format::TensorType type_k = format::TensorType::f16;
    format::TensorType type_v = format::TensorType::f16;
    uint32_t page_tokens = 64;
    uint32_t max_pages = 1; ///< entries of one sequence in the page table
    uint64_t k_pool = 0;    ///< device addresses of the layer's pools
    uint64_t v_pool = 0;

    uint32_t v_size() const { return value_size == 0 ? head_size : value_size; }
    uint32_t y_width() const { return n_heads * v_size(); }
};

/// Per head: norm, rotation, store.  Operands: counts, tokens, pages, table, qkv (n_tokens, stride), kv.
struct RopeStore {
    AttentionShape shape;
    uint32_t n_tokens = 0;
    uint32_t stride = 0;
    uint32_t n_rot = 0;
    uint32_t rot_first = 0; ///< dimensions before it are not rotated
    RopeKind kind = RopeKind::neox;
    uint64_t q_norm = 0; ///< device address of head_size floats, or 0 for no norm
    uint64_t k_norm = 0;
    float eps = 0;
};

inline constexpr uint32_t kMaxAttentionWaves = 8; ///< of a workgroup

/// Flash attention over the paged cache.  Operands: counts, tiles, pages, q (n_tokens, q_stride), y, kv and, with
/// several splits, their arrivals: n_arrivals() counters that are zero, and zero again behind it.
struct Attention {
    AttentionShape shape;
    uint32_t n_tokens = 0; ///< bucket of tokens of the step
    uint32_t n_tiles = 0;  ///< most tiles of the step
    uint32_t rows_per_tile = 1;
    uint32_t n_splits = 1;
    uint32_t q_stride = 0;
    uint32_t y_stride = 0;
    float scale = 1;
    uint32_t window = 0; ///< a query sees this many keys at most, its own included; 0: all
    uint64_t sinks = 0;  ///< device address of n_heads floats, one more logit per head without a value; 0: none
    bool y_is_half = false;

    uint32_t n_arrivals() const { return n_splits > 1 ? n_tiles * shape.n_kv_heads * kMaxAttentionWaves : 0; }
};

/// RopeStore and Attention of a step with one token of each sequence.
/// Operands: counts, tiles, pages, table, qkv (n_tokens, stride), y, kv and arrivals as for Attention.
struct AttentionDecode {
    RopeStore rope;
    Attention attention; ///< q_stride is the rope's
};

/// How logits become scores; numbers as in shaders/expert_route.comp and in the key expert_gating_func.
enum class Gating : uint32_t { softmax = 1, sigmoid = 2, softmax_of_selected = 3, sqrt_softplus = 4 };

/// What the ops of one mixture of experts share. A slot is a choice of a token: slot = token * n_used + choice; a place
/// is a slot's position when slots are sorted by expert (shaders/include/expert_tiles.glsl).
struct ExpertShape {
    uint32_t n_tokens = 0; ///< most tokens at once
    uint32_t n_experts = 0;
    uint32_t n_used = 0;
    uint32_t n_embd = 0;
    uint32_t n_ff = 0; ///< width of one expert
    /// The last experts that are together the shared one, which every token takes as its last choices; both counts
    /// include them.
    uint32_t n_shared = 0;
    bool has_shared_gate = false; ///< the logit behind those of the routed experts is the gate of the shared one

    uint32_t n_slots() const { return n_tokens * n_used; }
    /// The gate of a shared expert that is not among the experts stands behind a token's choices.
    bool has_outer_gate() const { return has_shared_gate && n_shared == 0; }
    uint32_t choice_stride() const { return n_used + has_outer_gate(); }
    uint64_t choices_bytes() const { return uint64_t{8} * n_tokens * choice_stride(); }
    /// Behind the tiles: for each group of rows of the down product, how many of its tiles are done.
    uint64_t arrivals_offset() const { return uint64_t{16} * (4 + 2 * uint64_t{n_slots()}); }
    uint64_t tiles_bytes() const { return arrivals_offset() + (uint64_t{n_embd} + 15) / 16 * 16; }
    uint64_t slots_bytes() const { return uint64_t{4} * n_slots(); }
};

/// Chooses and sorts.  Operands: counts, logits (n_tokens, logits_stride), choices, tiles, slots; with `router`, which
/// few tokens may have (routes_itself), x (n_tokens, n_embd) in place of logits, and behind all counters as for
/// Attention; with `shared` also h (n_tokens, shared.n_rows / 2) = silu(gate x) * up x.
struct ExpertRoute {
    ExpertShape shape;
    Gating gating = Gating::softmax;
    uint64_t selection_bias = 0; ///< device address of n_experts floats added for the selection only, or 0
    uint64_t load = 0;           ///< device address of n_experts counters of how often each was chosen, or 0
    uint64_t homes = 0;          ///< device address of n_experts places of experts (ExpertWeight::far), or 0
    uint32_t logits_stride = 0;
    uint32_t n_groups = 1;
    uint32_t n_groups_used = 1;
    bool normalises = false;
    float scale = 1;

    Weight router; ///< (logits_stride, n_embd), or none
    uint64_t router_bias = 0;
    bool x_is_normed = false; ///< as in Linear
    float eps = 0;
    uint32_t arrival_at = 0; ///< which counter
    Weight shared;           ///< gate over up of a shared expert that is not among the experts, or none
    Weight shared_up;        ///< where its gate and up have different types: `shared` is then gate alone

    /// Whether one dispatch may multiply with the router and route.
    static bool routes_itself(const Weight& router, const ExpertShape& shape);
    /// Whether it may also multiply with `shared`, and with `up` where that is apart.
    static bool takes_shared(const Weight& router, const Weight& shared, const Weight& up);
};

/// Where experts of a layer lie that are not with the others (shaders/include/expert_home.glsl).
struct FarExperts {
    uint64_t codes = 0; ///< device addresses, as in Weight
    uint64_t scales = 0;
    uint64_t row_scales = 0;
    uint32_t up_strips = 0; ///< as in ExpertWeight
    uint32_t unused = 0;
};

/// Matrices of all experts in one: expert e's first strip is e * expert_strips, that of its up rows up_strips further.
struct ExpertWeight {
    Weight weight;
    uint32_t expert_strips = 0;
    uint32_t up_strips = 0;
    /// Where experts are spilled: device address of FarExperts. `weight` then has those whose place is below n_near,
    /// and ExpertRoute knows the places.
    uint64_t far = 0;
    uint32_t n_near = 0;
    uint64_t bias = 0;    ///< device address of (n_experts, rows of an expert) floats, or 0
    uint64_t up_bias = 0; ///< the same of up, given when bias is
};

/// h[place] = activation(gate x, up x).  Operands: counts, tiles, slots, x (n_tokens, n_embd), h (n_slots, n_ff).
struct ExpertHidden {
    ExpertShape shape;
    ExpertWeight weight;
    ExpertWeight up; ///< where gate and up have different types: weight is then gate alone, and both have no up_strips
    Activation activation = Activation::silu;
    bool x_is_normed = false; ///< as in Linear
    float eps = 0;
    bool y_is_half = false; ///< h
};

/// y = residual + weighted sum over a token's experts of (down h + bias) (+ gate * shared).
/// Operands: counts, choices, tiles, slots, h, residual, shared (repeat residual when there is no gate), y; with
/// next_norm also y's NormedRows.
struct ExpertOutput {
    ExpertShape shape;
    ExpertWeight weight;
    uint64_t next_norm = 0; ///< as in Linear
    bool x_is_half = false; ///< h
};

/// Chooses a token for each row of logits and moves the row's token record on to it, so that the step can run again
/// (shaders/sample_pick.comp). Operands: counts, tokens, outputs, tiles, rows, window, edits, stops, logits (n_rows,
/// n_vocab), results (steps, result_stride).
struct Sample {
    uint32_t n_rows = 0;
    uint32_t n_vocab = 0;
    uint32_t result_stride = 0;
};

using Op = std::variant<Embed, RmsNorm, Linear, SwiGlu, GatherRows, RopeTable, RopeStore, Attention, AttentionDecode,
                        ExpertRoute, ExpertHidden, ExpertOutput, Sample>;

Lowered lower(const Embed& op, const Policy& policy);
Lowered lower(const RmsNorm& op, const Policy& policy);
Lowered lower(const Linear& op, const Policy& policy);
Lowered lower(const SwiGlu& op, const Policy& policy);
Lowered lower(const GatherRows& op, const Policy& policy);
Lowered lower(const RopeTable& op, const Policy& policy);
Lowered lower(const RopeStore& op, const Policy& policy);
Lowered lower(const Attention& op, const Policy& policy);
Lowered lower(const AttentionDecode& op, const Policy& policy);
Lowered lower(const ExpertRoute& op, const Policy& policy);
Lowered lower(const ExpertHidden& op, const Policy& policy);
Lowered lower(const ExpertOutput& op, const Policy& policy);
Lowered lower(const Sample& op, const Policy& policy);

/// Number of operands a node of this op has.
uint32_t n_operands(const Op& op);
/// The operand, f32 as it stands, that an op rounds to f16 as it reads it, and may get as f16 instead (x_is_half); and
/// the one that it may write as f16 (y_is_half). Nothing for ops whose kernels cannot.
std::optional<uint32_t> half_input(const Op& op, const Policy& policy);
std::optional<uint32_t> half_output(const Op& op, const Policy& policy);
/// The same op with such operands in f16.
Op with_halves(Op op, bool input, bool output);
/// Whether the op reads or writes an operand that its node lists; else it stands for another that is not there.
bool uses_operand(const Op& op, uint32_t operand);

/// Shader side of a KV element type; nothing when no kernel handles it.
bool is_kv_type(format::TensorType type);
/// Query rows of an attention tile for steps of n_tokens; more of them share the loads of a key.
uint32_t attention_rows(const AttentionShape& shape, uint32_t n_tokens, const Policy& policy);
/// The same for steps with one token of each sequence (AttentionDecode).
uint32_t attention_decode_rows(const AttentionShape& shape, const Policy& policy);
/// Waves of a workgroup of Attention with such tiles.
uint32_t attention_waves(const AttentionShape& shape, uint32_t rows_per_tile, const Policy& policy);
/// Bytes of one page of K or V: kv heads x page_tokens rows, codes and scales.
uint64_t kv_page_bytes(format::TensorType type, uint32_t n_kv_heads, uint32_t page_tokens, uint32_t head_size);

} // namespace vkinfer::kernels
