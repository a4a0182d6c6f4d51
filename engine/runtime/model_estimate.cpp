#include "runtime/model_estimate.h"

#include "runtime/model_summary.h"

#include <algorithm>
#include <format>

namespace vkinfer::runtime {

namespace {

/// Keys of the file's architecture, 0 where it has none.
class Keys {
public:
    explicit Keys(const format::GgufFile& file)
        : file_(file), prefix_(std::string(file.get_string("general.architecture")) + ".") {}

    uint64_t operator[](const char* name) const {
        const format::GgufValue* value = file_.find(prefix_ + name);
        if (value == nullptr || value->is_array()) return 0;
        return std::min<uint64_t>(value->as<uint64_t>().value_or(0), uint64_t{1} << 30);
    }
    bool has(const char* name) const { return file_.has(prefix_ + name); }

private:
    const format::GgufFile& file_;
    std::string prefix_;
};

/// Whether a layer attends: hybrids say which do, or have no K weights there.
bool has_attention(const format::GgufFile& file, const Keys& keys, uint32_t layer) {
    const uint64_t interval = keys["full_attention_interval"];
    if (interval > 1) return (layer + 1) % interval == 0;
    const auto tensor = [&](const char* name) {
        return file.find_tensor(std::format("blk.{}.{}.weight", layer, name)) != nullptr;
    };
    return tensor("attn_k") || tensor("attn_qkv") || tensor("attn_kv_a_mqa");
}

} // namespace

ModelMemory estimate_memory(const format::GgufFile& file, const MemoryWish& wish) {
    const ModelSummary summary = summarise(file);
    const Keys keys(file);
    ModelMemory model;
    model.file_name = file.name();
    model.n_ctx_train = static_cast<uint32_t>(std::max(summary.n_ctx_train, 1));
    model.n_vocab = static_cast<uint64_t>(std::max(summary.n_vocab, 1));

    const auto n_experts = static_cast<uint32_t>(keys["expert_count"]);
    const auto n_used = static_cast<uint32_t>(keys["expert_used_count"]);
    const bool is_tied = file.find_tensor("output.weight") == nullptr;
    for (const format::TensorInfo& tensor : file.tensors()) {
        model.weight_requests.push_back({.name = tensor.name,
                                         .size_bytes = std::max<uint64_t>(tensor.size_bytes, 1),
                                         .purpose = memory::Purpose::weights,
                                         .layer = layer_of(tensor.name),
                                         .read_share = read_share_of(tensor.name, is_tied, n_experts, n_used)});
    }

    uint32_t n_recurrent = 0;
    const bool is_hybrid = keys.has("ssm.state_size");
    for (uint32_t il = 0; il < static_cast<uint32_t>(summary.n_layers); ++il) {
        const uint32_t n_heads = il < summary.n_heads_kv.size() ? static_cast<uint32_t>(summary.n_heads_kv[il]) : 0;
        if (n_heads == 0 || (is_hybrid && !has_attention(file, keys, il))) {
            n_recurrent += is_hybrid;
            continue;
        }
        if (const uint64_t rank = keys["attention.kv_lora_rank"]; rank > 0) { // one latent row for all heads, no V
            const uint64_t width = rank + keys["rope.dimension_count"];
            model.kv_layers.push_back({il, 1, static_cast<uint32_t>(width), 0});
            continue;
        }
        model.kv_layers.push_back(
            {il, n_heads, static_cast<uint32_t>(summary.key_length), static_cast<uint32_t>(summary.value_length)});
    }
    // Per sequence and layer: the state matrix, and the last inputs of the convolution, in f32.
    const uint64_t inner = keys["ssm.inner_size"];
    const uint64_t state = keys["ssm.state_size"];
    const uint64_t conv_width = inner + 2 * keys["ssm.group_count"] * state;
    const uint64_t conv_rows = keys["ssm.conv_kernel"] > 0 ? keys["ssm.conv_kernel"] - 1 : 0;
    model.state_bytes = uint64_t{n_recurrent} * static_cast<uint64_t>(wish.max_sequences) * 4 *
                        (inner * state + conv_width * conv_rows);

    // The residual stream, its norm, Q, K and V, attention, and the widest of the feed-forward parts, all in f32.
    const auto n_embd = static_cast<uint64_t>(summary.n_embd);
    const uint64_t q_width = static_cast<uint64_t>(summary.n_heads) * static_cast<uint64_t>(summary.key_length);
    const uint64_t experts_width = keys["expert_feed_forward_length"] * std::max<uint64_t>(n_used, 1);
    const uint64_t ff = std::max(keys["feed_forward_length"], experts_width);
    model.estimated_arena_bytes =
        4 * static_cast<uint64_t>(wish.max_batch()) * (3 * n_embd + 3 * q_width + 3 * std::max(ff, n_embd));
    return model;
}

} // namespace vkinfer::runtime
