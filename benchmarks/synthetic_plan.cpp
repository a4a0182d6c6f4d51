#include "benchmarks/synthetic_plan.h"

#include "base/error.h"
#include "benchmarks/synthetic_types.h"
#include "benchmarks/synthetic_vocabulary.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <format>
#include <string_view>
#include <utility>

namespace vkinfer::benchmarks {

using format::GgufWriter;
using format::TensorType;

/// What the architectures differ in, as far as files of random weights are concerned.
struct SyntheticFamily {
    enum class Has : uint8_t { no, yes, some }; ///< some: some models of the architecture

    const char* name;
    Has experts = Has::no;
    bool qkv_bias = false;
    bool other_biases = false; ///< of attention's output, router and experts
    Has qk_norm = Has::no;
    const char* ffn_norm = "ffn_norm";
    bool shared_expert = false;
    bool shared_is_gated = false; ///< and as wide as a token's experts together, else as one
    bool leading_dense = false;
    bool sigmoid_router = false; ///< with a bias for the choice, and weights that sum to 1
    bool yarn = false;           ///< 32 times the 4096 tokens of the original context
    bool sinks = false;
    uint32_t window = 0;    ///< keys that every other layer sees
    uint32_t rope_part = 1; ///< 1 / share of a head that is rotated
    float rope_freq_base = 10000.0f;
    std::optional<TensorType> expert_type = std::nullopt; ///< the only one in which its experts are published
};

namespace {

using Has = SyntheticFamily::Has;

constexpr SyntheticFamily kFamilies[] = {
    {.name = "llama", .experts = Has::some},
    {.name = "qwen2", .qkv_bias = true, .rope_freq_base = 1000000.0f},
    {.name = "qwen3", .qk_norm = Has::yes, .rope_freq_base = 1000000.0f},
    {.name = "qwen2moe",
     .experts = Has::yes,
     .qkv_bias = true,
     .shared_expert = true,
     .shared_is_gated = true,
     .rope_freq_base = 1000000.0f},
    {.name = "qwen3moe", .experts = Has::yes, .qk_norm = Has::yes, .rope_freq_base = 1000000.0f},
    {.name = "glm4moe",
     .experts = Has::yes,
     .qkv_bias = true,
     .qk_norm = Has::some,
     .ffn_norm = "post_attention_norm",
     .shared_expert = true,
     .leading_dense = true,
     .sigmoid_router = true,
     .rope_part = 2,
     .rope_freq_base = 1000000.0f},
    {.name = "gpt-oss",
     .experts = Has::yes,
     .qkv_bias = true,
     .other_biases = true,
     .ffn_norm = "post_attention_norm",
     .yarn = true,
     .sinks = true,
     .window = 128,
     .rope_freq_base = 150000.0f,
     .expert_type = TensorType::mxfp4},
};

constexpr auto kNames = [] {
    std::array<const char*, std::size(kFamilies)> names{};
    for (size_t i = 0; i < names.size(); ++i) names[i] = kFamilies[i].name;
    return names;
}();

const SyntheticFamily& find_family(const std::string& name) {
    const auto* found = std::ranges::find(kFamilies, name, &SyntheticFamily::name);
    if (found != std::end(kFamilies)) return *found;
    std::string known;
    for (const char* other : kNames) known += std::format("{}{}", known.empty() ? "" : ", ", other);
    throw Error(ErrorKind::invalid_input, std::format("architecture {} cannot be made.", name), "Use " + known + ".");
}

constexpr uint32_t kMaxSize = 1u << 22;
constexpr uint32_t kMaxExperts = 512; // of the engine's router

[[noreturn]] void refuse(const std::string& why, const std::string& hint) {
    throw Error(ErrorKind::invalid_input, why, hint);
}

} // namespace

std::span<const char* const> synthetic_architectures() {
    return kNames;
}

SyntheticPlan::SyntheticPlan(const SyntheticOptions& options)
    : options_(options), family_(&find_family(options.architecture)) {
    check_sizes();
    settle_experts();
    settle_norms();
    const SyntheticOptions& o = options_;
    matrix("token_embd.weight", {o.n_embd, o.n_vocab}, 2.0f);
    for (uint32_t layer = 0; layer < o.n_layers; ++layer) {
        const std::string block = std::format("blk.{}.", layer);
        plan_attention(block);
        norm(block + family_->ffn_norm + ".weight", o.n_embd);
        if (o.n_experts == 0) {
            plan_feed_forward(block, o.n_ff);
        } else if (layer < *o.n_leading_dense) {
            plan_feed_forward(block, o.n_ff_dense);
        } else {
            plan_experts(block);
        }
    }
    norm("output_norm.weight", o.n_embd);
    if (!o.tied) matrix("output.weight", {o.n_embd, o.n_vocab}, 2.0f);
    choose_types(tensors_, o, family_->expert_type);
}

void SyntheticPlan::check_sizes() const {
    const SyntheticOptions& o = options_;
    for (const uint32_t value : {o.n_layers, o.n_embd, o.n_ff, o.n_heads, o.n_kv_heads, o.head_size}) {
        if (value == 0 || value > kMaxSize) {
            refuse(std::format("a size of {} makes no model.", value),
                   std::format("Use sizes from 1 to {}.", kMaxSize));
        }
    }
    if (o.n_heads % o.n_kv_heads != 0) {
        refuse(std::format("{} heads cannot share {} key heads.", o.n_heads, o.n_kv_heads),
               "The number of heads must be a multiple of the number of key heads.");
    }
    if (o.head_size % 8 != 0) {
        refuse(std::format("heads of {} elements cannot be run.", o.head_size), "Use a multiple of 8.");
    }
    for (const uint64_t width : {uint64_t{o.n_embd}, uint64_t{o.n_ff}, uint64_t{o.n_heads} * o.head_size,
                                 uint64_t{o.n_ff_shared}, uint64_t{o.n_ff_dense}}) {
        if (width % 32 != 0) {
            refuse(std::format("rows of {} elements have no whole blocks.", width), "Use widths in multiples of 32.");
        }
    }
    if (o.n_vocab < kSmallestVocabulary) {
        refuse(std::format("a vocabulary of {} is too small.", o.n_vocab), "All bytes and some controls need 260.");
    }
}

void SyntheticPlan::settle_experts() {
    SyntheticOptions& o = options_;
    if (family_->experts == Has::yes && o.n_experts == 0) {
        refuse(std::format("{} needs experts.", o.architecture), "Say how many.");
    }
    if (family_->experts == Has::no && o.n_experts != 0) {
        refuse(std::format("{} has no experts.", o.architecture), "Of the same family are qwen2moe and qwen3moe.");
    }
    if (o.n_experts > kMaxExperts) {
        refuse(std::format("{} experts cannot be run.", o.n_experts), std::format("Use at most {}.", kMaxExperts));
    }
    if (o.n_experts != 0 && (o.n_experts_used == 0 || o.n_experts_used > o.n_experts)) {
        refuse(std::format("{} of {} experts cannot be used.", o.n_experts_used, o.n_experts), "Use some of them.");
    }
    if (!family_->shared_expert && o.n_ff_shared != 0) {
        refuse(std::format("{} has no shared expert.", o.architecture), "qwen2moe and glm4moe have one.");
    }
    if (!family_->leading_dense && (o.n_ff_dense != 0 || o.n_leading_dense.value_or(0) != 0)) {
        refuse(std::format("{} has no leading dense layers.", o.architecture), "glm4moe has some.");
    }
    if (family_->shared_expert && o.n_ff_shared == 0) {
        o.n_ff_shared = o.n_ff * (family_->shared_is_gated ? o.n_experts_used : 1);
    }
    if (family_->shared_expert && !family_->shared_is_gated && o.n_ff_shared % o.n_ff != 0) {
        refuse(std::format("a shared expert of {} is no multiple of the other experts' {}.", o.n_ff_shared, o.n_ff),
               std::format("{} stores how many of them it stands for.", o.architecture));
    }
    if (!o.n_leading_dense) o.n_leading_dense = family_->leading_dense ? 1 : 0;
    if (*o.n_leading_dense >= o.n_layers) {
        refuse(std::format("{} leading dense layers of {} leave none for the experts.", *o.n_leading_dense, o.n_layers),
               "Use more layers, or no dense ones.");
    }
    if (o.n_ff_dense == 0) o.n_ff_dense = o.n_ff * o.n_experts_used;
}

void SyntheticPlan::settle_norms() {
    const bool is_usual = family_->qk_norm != Has::no;
    if (!options_.has_qk_norm) options_.has_qk_norm = is_usual;
    if (family_->qk_norm != Has::some && *options_.has_qk_norm != is_usual) {
        refuse(std::format("{} {} norms of Q and K.", family_->name, is_usual ? "needs" : "has no"),
               "glm4moe has models with and without them.");
    }
}

void SyntheticPlan::matrix(std::string name, std::vector<uint64_t> dims, float gain) {
    const float deviation = gain / std::sqrt(static_cast<float>(dims[0]));
    tensors_.push_back({.name = std::move(name), .dims = std::move(dims), .deviation = deviation, .takes_type = true});
}

void SyntheticPlan::router(std::string name, std::vector<uint64_t> dims) {
    matrix(std::move(name), std::move(dims));
    tensors_.back().takes_type = false;
}

void SyntheticPlan::norm(std::string name, uint64_t size) {
    tensors_.push_back({.name = std::move(name), .dims = {size}, .mean = 1.0f, .deviation = 0.1f});
}

void SyntheticPlan::bias(std::string name, std::vector<uint64_t> dims, float deviation) {
    tensors_.push_back({.name = std::move(name), .dims = std::move(dims), .deviation = deviation});
}

// Gains keep the logits at a standard deviation of about 2.
void SyntheticPlan::plan_attention(const std::string& block) {
    const SyntheticOptions& o = options_;
    const uint64_t q_size = uint64_t{o.n_heads} * o.head_size, kv_size = uint64_t{o.n_kv_heads} * o.head_size;
    norm(block + "attn_norm.weight", o.n_embd);
    matrix(block + "attn_q.weight", {o.n_embd, q_size});
    matrix(block + "attn_k.weight", {o.n_embd, kv_size});
    matrix(block + "attn_v.weight", {o.n_embd, kv_size});
    if (family_->qkv_bias) {
        bias(block + "attn_q.bias", {q_size});
        bias(block + "attn_k.bias", {kv_size});
        bias(block + "attn_v.bias", {kv_size});
    }
    if (*o.has_qk_norm) {
        norm(block + "attn_q_norm.weight", o.head_size);
        norm(block + "attn_k_norm.weight", o.head_size);
    }
    if (family_->sinks) bias(block + "attn_sinks.weight", {o.n_heads}, 1.0f);
    matrix(block + "attn_output.weight", {q_size, o.n_embd});
    if (family_->other_biases) bias(block + "attn_output.bias", {o.n_embd});
}

void SyntheticPlan::plan_feed_forward(const std::string& block, uint32_t n_ff) {
    matrix(block + "ffn_gate.weight", {options_.n_embd, n_ff});
    matrix(block + "ffn_up.weight", {options_.n_embd, n_ff});
    matrix(block + "ffn_down.weight", {n_ff, options_.n_embd});
}

void SyntheticPlan::plan_experts(const std::string& block) {
    const SyntheticOptions& o = options_;
    router(block + "ffn_gate_inp.weight", {o.n_embd, o.n_experts});
    if (family_->other_biases) bias(block + "ffn_gate_inp.bias", {o.n_experts});
    if (family_->sigmoid_router) bias(block + "exp_probs_b.bias", {o.n_experts}, 0.1f);
    matrix(block + "ffn_gate_exps.weight", {o.n_embd, o.n_ff, o.n_experts});
    matrix(block + "ffn_up_exps.weight", {o.n_embd, o.n_ff, o.n_experts});
    matrix(block + "ffn_down_exps.weight", {o.n_ff, o.n_embd, o.n_experts});
    if (family_->other_biases) {
        bias(block + "ffn_gate_exps.bias", {o.n_ff, o.n_experts});
        bias(block + "ffn_up_exps.bias", {o.n_ff, o.n_experts});
        bias(block + "ffn_down_exps.bias", {o.n_embd, o.n_experts});
    }
    if (!family_->shared_expert) return;
    if (family_->shared_is_gated) router(block + "ffn_gate_inp_shexp.weight", {o.n_embd});
    matrix(block + "ffn_gate_shexp.weight", {o.n_embd, o.n_ff_shared});
    matrix(block + "ffn_up_shexp.weight", {o.n_embd, o.n_ff_shared});
    matrix(block + "ffn_down_shexp.weight", {o.n_ff_shared, o.n_embd});
}

void SyntheticPlan::write_metadata(GgufWriter& writer) const {
    const SyntheticOptions& o = options_;
    const auto key = [&](const char* name) { return o.architecture + "." + name; };
    writer.set("general.architecture", o.architecture);
    writer.set("general.name", std::format("synthetic {} with random weights", o.architecture));
    writer.set("general.quantization_version", uint32_t{2});
    if (const auto file_type = mixed_file_type(o)) writer.set("general.file_type", *file_type);
    writer.set(key("context_length"), o.context_length);
    writer.set(key("embedding_length"), o.n_embd);
    writer.set(key("block_count"), o.n_layers);
    writer.set(key("feed_forward_length"), family_->leading_dense ? o.n_ff_dense : o.n_ff);
    writer.set(key("attention.head_count"), o.n_heads);
    writer.set(key("attention.head_count_kv"), o.n_kv_heads);
    writer.set(key("attention.key_length"), o.head_size);
    writer.set(key("attention.value_length"), o.head_size);
    writer.set(key("attention.layer_norm_rms_epsilon"), 1e-5f);
    writer.set(key("rope.dimension_count"), o.head_size / family_->rope_part);
    writer.set(key("rope.freq_base"), family_->rope_freq_base);
    if (family_->yarn) {
        writer.set(key("rope.scaling.type"), "yarn");
        writer.set(key("rope.scaling.factor"), 32.0f);
        writer.set(key("rope.scaling.original_context_length"), uint32_t{4096});
    }
    if (family_->window != 0) writer.set(key("attention.sliding_window"), family_->window);
    writer.set(key("vocab_size"), o.n_vocab);
    if (o.n_experts != 0) {
        writer.set(key("expert_count"), o.n_experts);
        writer.set(key("expert_used_count"), o.n_experts_used);
        writer.set(key("expert_feed_forward_length"), o.n_ff);
    }
    if (family_->shared_is_gated) {
        writer.set(key("expert_shared_feed_forward_length"), o.n_ff_shared);
    } else if (family_->shared_expert) {
        writer.set(key("expert_shared_count"), o.n_ff_shared / o.n_ff);
    }
    if (family_->leading_dense) writer.set(key("leading_dense_block_count"), *o.n_leading_dense);
    if (family_->sigmoid_router) {
        writer.set(key("expert_gating_func"), uint32_t{2});
        writer.set(key("expert_weights_norm"), true);
        writer.set(key("expert_weights_scale"), 1.0f);
    }
    write_synthetic_vocabulary(writer, o.n_vocab);
}

} // namespace vkinfer::benchmarks
