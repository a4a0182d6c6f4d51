// Headers of GGUF files with the shapes of real models and no tensor data: what `vkinfer plan` reads before a download.
#pragma once

#include "format/gguf_writer.h"

#include <cstdint>
#include <filesystem>
#include <format>
#include <string>
#include <vector>

namespace vkinfer::test {

struct HeaderShape {
    std::string architecture = "llama";
    uint32_t n_layers = 32;
    uint32_t n_embd = 4096;
    uint32_t n_ff = 11008; ///< of an expert where there are experts
    uint32_t n_heads = 32;
    uint32_t n_kv_heads = 32;
    uint32_t head_size = 128;
    uint32_t n_vocab = 32000;
    uint32_t n_ctx = 4096;
    uint32_t n_experts = 0;
    uint32_t n_experts_used = 8;
    uint32_t attention_interval = 0; ///< every how many layers one attends; the others are recurrent
    format::TensorType type = format::TensorType::q4_0;
    format::TensorType output_type = format::TensorType::q6_k;
    uint32_t n_parts = 1;
};

struct HeaderTensor {
    std::string name;
    format::TensorType type;
    std::vector<uint64_t> dims;
};

/// The shape of Qwen3 30B-A3B: 48 layers of 128 experts, 8 for a token.
inline HeaderShape shape_30b_a3b(format::TensorType type = format::TensorType::q4_0) {
    return {.architecture = "qwen3moe",
            .n_layers = 48,
            .n_embd = 2048,
            .n_ff = 768,
            .n_heads = 32,
            .n_kv_heads = 4,
            .n_vocab = 151936,
            .n_ctx = 40960,
            .n_experts = 128,
            .type = type};
}

inline std::vector<HeaderTensor> header_tensors(const HeaderShape& s) {
    using format::TensorType;
    std::vector<HeaderTensor> tensors;
    const auto add = [&](std::string name, TensorType type, std::vector<uint64_t> dims) {
        tensors.push_back({std::move(name) + ".weight", type, std::move(dims)});
    };
    const uint64_t q = uint64_t{s.n_heads} * s.head_size;
    const uint64_t kv = uint64_t{s.n_kv_heads} * s.head_size;
    add("token_embd", s.output_type, {s.n_embd, s.n_vocab});
    for (uint32_t il = 0; il < s.n_layers; ++il) {
        const auto blk = [&](const char* name) { return std::format("blk.{}.{}", il, name); };
        add(blk("attn_norm"), TensorType::f32, {s.n_embd});
        if (s.attention_interval > 1 && (il + 1) % s.attention_interval != 0) {
            add(blk("attn_qkv"), s.type, {s.n_embd, 2 * q});
            add(blk("attn_gate"), s.type, {s.n_embd, q});
            add(blk("ssm_out"), s.type, {q, s.n_embd});
        } else {
            add(blk("attn_q"), s.type, {s.n_embd, q});
            add(blk("attn_k"), s.type, {s.n_embd, kv});
            add(blk("attn_v"), s.type, {s.n_embd, kv});
            add(blk("attn_output"), s.type, {q, s.n_embd});
            if (s.architecture.starts_with("qwen3")) {
                add(blk("attn_q_norm"), TensorType::f32, {s.head_size});
                add(blk("attn_k_norm"), TensorType::f32, {s.head_size});
            }
        }
        add(blk("ffn_norm"), TensorType::f32, {s.n_embd});
        if (s.n_experts > 0) {
            add(blk("ffn_gate_inp"), TensorType::f32, {s.n_embd, s.n_experts});
            add(blk("ffn_gate_exps"), s.type, {s.n_embd, s.n_ff, s.n_experts});
            add(blk("ffn_up_exps"), s.type, {s.n_embd, s.n_ff, s.n_experts});
            add(blk("ffn_down_exps"), s.type, {s.n_ff, s.n_embd, s.n_experts});
        } else {
            add(blk("ffn_gate"), s.type, {s.n_embd, s.n_ff});
            add(blk("ffn_up"), s.type, {s.n_embd, s.n_ff});
            add(blk("ffn_down"), s.type, {s.n_ff, s.n_embd});
        }
    }
    add("output_norm", TensorType::f32, {s.n_embd});
    add("output", s.output_type, {s.n_embd, s.n_vocab});
    return tensors;
}

/// Writes the header, or one per part ("name-00001-of-00003.gguf"); returns the file to open.
inline std::filesystem::path write_header(const std::filesystem::path& folder, const std::string& name,
                                          const HeaderShape& s) {
    const std::vector<HeaderTensor> tensors = header_tensors(s);
    const auto path_of = [&](uint32_t part) {
        return folder /
               (s.n_parts == 1 ? name + ".gguf" : std::format("{}-{:05}-of-{:05}.gguf", name, part, s.n_parts));
    };
    for (uint32_t part = 1; part <= s.n_parts; ++part) {
        format::GgufWriter writer(path_of(part));
        if (s.n_parts > 1) {
            writer.set("split.no", static_cast<uint16_t>(part - 1));
            writer.set("split.count", static_cast<uint16_t>(s.n_parts));
            writer.set("split.tensors.count", static_cast<int32_t>(tensors.size()));
        }
        if (part == 1) {
            const auto key = [&](const char* last) { return s.architecture + "." + last; };
            writer.set("general.architecture", s.architecture);
            writer.set(key("block_count"), s.n_layers);
            writer.set(key("context_length"), s.n_ctx);
            writer.set(key("embedding_length"), s.n_embd);
            writer.set(key("feed_forward_length"), s.n_ff);
            writer.set(key("attention.head_count"), s.n_heads);
            writer.set(key("attention.head_count_kv"), s.n_kv_heads);
            writer.set(key("attention.key_length"), s.head_size);
            writer.set(key("attention.value_length"), s.head_size);
            writer.set(key("attention.layer_norm_rms_epsilon"), 1e-6f);
            writer.set(key("vocab_size"), s.n_vocab);
            if (s.n_experts > 0) {
                writer.set(key("expert_count"), s.n_experts);
                writer.set(key("expert_used_count"), s.n_experts_used);
                writer.set(key("expert_feed_forward_length"), s.n_ff);
            }
            if (s.attention_interval > 1) {
                writer.set(key("full_attention_interval"), s.attention_interval);
                writer.set(key("ssm.conv_kernel"), uint32_t{4});
                writer.set(key("ssm.state_size"), uint32_t{128});
                writer.set(key("ssm.group_count"), uint32_t{16});
                writer.set(key("ssm.inner_size"), s.n_heads * s.head_size);
            }
        }
        const size_t first = tensors.size() * (part - 1) / s.n_parts;
        const size_t last = tensors.size() * part / s.n_parts;
        for (size_t i = first; i < last; ++i) writer.add_tensor(tensors[i].name, tensors[i].type, tensors[i].dims);
        writer.finish_header();
    }
    return path_of(1);
}

} // namespace vkinfer::test
