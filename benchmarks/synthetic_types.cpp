// The K_M mixes follow what llama.cpp's quantisation does, so that a file costs what the published ones cost.
#include "benchmarks/synthetic_types.h"

#include "base/error.h"
#include "format/quantise_model.h"

#include <algorithm>
#include <fnmatch.h>
#include <format>
#include <string_view>

namespace vkinfer::benchmarks {

using format::TensorType;

namespace {

void check_type(TensorType type) {
    if (format::traits(type).dequantise == nullptr || format::traits(type).kind == format::TypeKind::activation) {
        throw Error(ErrorKind::invalid_input, std::format("{} is no type for weights.", to_string(type)),
                    "Use F16, Q8_0, Q4_0, Q4_K, ...");
    }
}

/// Of a matrix in a layer.
TensorType k_m_type(std::string_view name, const SyntheticOptions& options) {
    using enum TensorType;
    const bool is_v = name.ends_with("attn_v.weight"), is_attention_out = name.ends_with("attn_output.weight");
    const bool is_down = name.find("ffn_down") != name.npos;
    const uint32_t layer = format::layer_of(name).value_or(0);
    if (options.n_experts == 8) { // attention is a small part of such a model
        if (is_v || name.ends_with("attn_k.weight")) return q8_0;
        if (is_attention_out && options.type != q5_k) return q5_k;
    }
    if (options.type != q3_k) return format::gets_more_bits(name, options.n_layers) ? q6_k : options.type;
    if (is_v) return layer < 2 ? q5_k : q4_k;
    if (is_down) return layer < options.n_layers / 16 ? q5_k : q4_k;
    return is_attention_out ? q4_k : q3_k;
}

TensorType wished_type(std::string_view name, const SyntheticOptions& options) {
    const bool is_embedding = name == "token_embd.weight";
    const bool is_output = name == "output.weight" || (is_embedding && options.tied);
    if ((is_embedding || is_output) && options.output_type) return *options.output_type;
    if (options.mix == TypeMix::uniform) return options.type;
    if (is_output) return TensorType::q6_k;
    return is_embedding ? options.type : k_m_type(name, options);
}

bool matches(const std::string& name, const std::string& pattern) {
    return fnmatch(("*" + pattern + "*").c_str(), name.c_str(), 0) == 0;
}

} // namespace

void choose_types(std::vector<PlannedTensor>& tensors, const SyntheticOptions& options,
                  std::optional<TensorType> expert_type) {
    check_type(options.type);
    if (options.output_type) check_type(*options.output_type);
    if (options.mix == TypeMix::k_m && !mixed_file_type(options)) {
        throw Error(ErrorKind::invalid_input, std::format("there is no mix k_m of {}.", to_string(options.type)),
                    "Use it with Q3_K, Q4_K or Q5_K.");
    }
    for (PlannedTensor& tensor : tensors) {
        if (!tensor.takes_type) continue;
        const bool is_expert = tensor.name.ends_with("_exps.weight");
        tensor.type = expert_type && is_expert ? *expert_type : wished_type(tensor.name, options);
        tensor.type = format::type_for_rows(tensor.type, tensor.dims[0]);
    }
    for (const TypeRule& rule : options.type_rules) {
        check_type(rule.type);
        bool is_used = false;
        for (PlannedTensor& tensor : tensors) {
            if (!tensor.takes_type || !matches(tensor.name, rule.pattern)) continue;
            tensor.type = rule.type;
            is_used = true;
        }
        if (!is_used || rule.pattern.empty()) {
            throw Error(ErrorKind::invalid_input, std::format("no matrix has \"{}\" in its name.", rule.pattern),
                        "Names are token_embd.weight, blk.0.attn_v.weight, ...; norms, biases and routers stay F32.");
        }
    }
}

std::optional<uint32_t> mixed_file_type(const SyntheticOptions& options) {
    if (options.mix == TypeMix::uniform) return std::nullopt;
    switch (options.type) {
    case TensorType::q3_k:
        return 12;
    case TensorType::q4_k:
        return 15;
    case TensorType::q5_k:
        return 17;
    default:
        return std::nullopt;
    }
}

} // namespace vkinfer::benchmarks
