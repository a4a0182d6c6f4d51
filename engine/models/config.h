// Hyper-parameters of a decoder, read from GGUF metadata with every bound checked before it becomes a size.
#pragma once

#include "kernels/ops.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vkinfer::format {
class GgufFile;
}

namespace vkinfer::models {

/// Rotary embedding: frequencies are computed once at load, kernels only multiply by the position.
struct RopeConfig {
    kernels::RopeKind kind = kernels::RopeKind::norm;
    uint32_t n_rot = 0;
    double base = 10000;
    enum class Scaling : uint8_t { none, linear, yarn } scaling = Scaling::none;
    double factor = 1;           ///< s
    double original_context = 0; ///< L0
    double attn_factor = 1;
    double ext_factor = -1; ///< -1: 1 for yarn, else 0
    double beta_fast = 32;
    double beta_slow = 1;
    double log_multiplier = 0; ///< yarn_log_multiplier; 0 = absent
};

/// Routed experts; n == 0: the model is dense.
struct ExpertConfig {
    uint32_t n = 0;
    uint32_t n_used = 0;
    uint32_t n_ff = 0;        ///< width of one expert
    uint32_t n_ff_shared = 0; ///< of the experts that every token takes, as one; 0: none
    bool shared_is_gated = false;
    uint32_t first_layer = 0; ///< layers before it are dense
    kernels::Gating gating = kernels::Gating::softmax;
    kernels::Activation activation = kernels::Activation::silu;
    bool normalises = false; ///< weights of the chosen sum to 1
    float scale = 1;
    uint32_t n_groups = 1;
    uint32_t n_groups_used = 1;
};

struct ModelConfig {
    std::string architecture;
    uint32_t n_layers = 0;
    uint32_t n_embd = 0;
    uint32_t n_ff = 0;
    uint32_t n_heads = 0;
    uint32_t n_kv_heads = 0;
    uint32_t head_size = 0;  ///< of Q and K
    uint32_t value_size = 0; ///< of V
    uint32_t n_vocab = 0;
    uint32_t n_ctx_train = 0;
    float norm_eps = 0;
    float attention_scale = 0; ///< already 1 / sqrt(head_size) where the file says nothing
    RopeConfig rope;
    ExpertConfig experts;
    std::vector<uint32_t> windows; ///< keys that a query of each layer sees at most, 0: all; empty: all everywhere

    bool is_routed(uint32_t layer) const { return experts.n > 0 && layer >= experts.first_layer; }
    uint32_t window(uint32_t layer) const { return windows.empty() ? 0 : windows[layer]; }
    uint32_t q_width() const { return n_heads * head_size; }
    uint32_t k_width() const { return n_kv_heads * head_size; }
    uint32_t v_width() const { return n_kv_heads * value_size; }
    uint32_t qkv_width() const { return q_width() + k_width() + v_width(); }
    uint32_t attended_width() const { return n_heads * value_size; }
};

/// Reads the keys that all families share. Throws Error that names key and value.
ModelConfig read_config(const format::GgufFile& file);

/// ModelConfig::windows from attention.sliding_window and its pattern: a flag per layer, or a period P of which all but
/// the last layer slide (1: none, 0: all); `default_period` where the file says nothing.
std::vector<uint32_t> read_windows(const format::GgufFile& file, const ModelConfig& config, uint32_t default_period);

/// Per rotary pair the turns per token as 64-bit fixed point (2^64 is a whole turn), and the factor on cos and sin.
/// `frequency_factors`: rope_freqs.weight, or empty. Formulas: YaRN (Peng et al. 2023) as llama.cpp's files use it.
struct RopeFrequencies {
    std::vector<uint64_t> pairs; ///< n_rot / 2
    float magnitude = 1;
};
/// The fraction of a turn as fixed point.
uint64_t turns_to_fixed_point(double turns);
RopeFrequencies rope_frequencies(const RopeConfig& rope, const std::vector<float>& frequency_factors);

} // namespace vkinfer::models
