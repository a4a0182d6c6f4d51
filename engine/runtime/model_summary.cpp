#include "runtime/model_summary.h"

#include "runtime/weight_plan.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <format>
#include <utility>

namespace vkinfer::runtime {

namespace {

using format::GgufFile;

/// Names of general.file_type. (docs: GGUF fact sheet of llama.cpp's llama_ftype.)
constexpr std::array<std::pair<uint32_t, const char*>, 36> kFileTypes = {{
    {0, "F32"},     {1, "F16"},     {2, "Q4_0"},     {3, "Q4_1"},    {7, "Q8_0"},     {8, "Q5_0"},
    {9, "Q5_1"},    {10, "Q2_K"},   {11, "Q3_K_S"},  {12, "Q3_K_M"}, {13, "Q3_K_L"},  {14, "Q4_K_S"},
    {15, "Q4_K_M"}, {16, "Q5_K_S"}, {17, "Q5_K_M"},  {18, "Q6_K"},   {19, "IQ2_XXS"}, {20, "IQ2_XS"},
    {21, "Q2_K_S"}, {22, "IQ3_XS"}, {23, "IQ3_XXS"}, {24, "IQ1_S"},  {25, "IQ4_NL"},  {26, "IQ3_S"},
    {27, "IQ3_M"},  {28, "IQ2_S"},  {29, "IQ2_M"},   {30, "IQ4_XS"}, {31, "IQ1_M"},   {32, "BF16"},
    {36, "TQ1_0"},  {37, "TQ2_0"},  {38, "MXFP4"},   {39, "NVFP4"},  {40, "Q1_0"},    {41, "Q2_0"},
}};
constexpr uint32_t kGuessedFileType = 1024; // a bit that says that a tool guessed the recipe

std::string file_type_name(const GgufFile& file, const std::vector<TypeShare>& types) {
    if (const auto id = file.get_optional<uint32_t>("general.file_type")) {
        const auto* row =
            std::ranges::find(kFileTypes, *id & ~kGuessedFileType, &std::pair<uint32_t, const char*>::first);
        if (row != kFileTypes.end()) return row->second;
    }
    return types.empty() ? "?" : format::to_string(types.front().type);
}

/// "7B", "0.6B", "88M", as models are called.
std::string size_label(uint64_t n_params) {
    const auto n = static_cast<double>(n_params);
    if (n >= 9.95e9) return std::format("{:.0f}B", n / 1e9);
    if (n >= 0.95e9)
        return n / 1e9 - static_cast<double>(n_params / 1000000000) < 0.05 ? std::format("{:.0f}B", n / 1e9)
                                                                           : std::format("{:.1f}B", n / 1e9);
    if (n >= 0.3e9) return std::format("{:.1f}B", n / 1e9);
    if (n >= 9.95e6) return std::format("{:.0f}M", n / 1e6);
    if (n >= 1e6) return std::format("{:.1f}M", n / 1e6);
    return std::format("{:.0f}K", n / 1e3);
}

SamplingParams sampling_of(const GgufFile& file) {
    SamplingParams sampling;
    const auto take = [&]<class T>(const char* key, T& field) {
        field = file.get_or<T>(std::string("general.sampling.") + key, field);
    };
    take("temp", sampling.temperature);
    take("top_k", sampling.top_k);
    take("top_p", sampling.top_p);
    take("min_p", sampling.min_p);
    take("penalty_last_n", sampling.repeat_last_n);
    take("penalty_repeat", sampling.repeat_penalty);
    take("penalty_present", sampling.presence_penalty);
    take("penalty_freq", sampling.frequency_penalty);
    if (auto valid = sampling.validate(); !valid) {
        throw Error(ErrorKind::invalid_input, file.name() + ": general.sampling: " + valid.error().message());
    }
    return sampling;
}

std::vector<TypeShare> shares_of(const GgufFile& file) {
    std::vector<TypeShare> shares;
    for (const format::TensorInfo& tensor : file.tensors()) {
        auto share = std::ranges::find(shares, tensor.type, &TypeShare::type);
        if (share == shares.end()) share = shares.insert(share, TypeShare{.type = tensor.type});
        ++share->n_tensors;
        share->n_elements += tensor.n_elements();
        share->size_bytes += tensor.size_bytes;
    }
    std::ranges::stable_sort(shares, std::ranges::greater{}, &TypeShare::size_bytes);
    return shares;
}

} // namespace

uint64_t ModelSummary::kv_bytes(int32_t n_ctx, format::TensorType type_k, format::TensorType type_v) const {
    const auto row_bytes = [](format::TensorType row_type, uint64_t n_elements) {
        const format::TypeTraits& type_traits = format::traits(row_type);
        if (n_elements % type_traits.block_elements != 0) {
            throw Error(
                ErrorKind::unsupported,
                std::format("A cache of type {} needs heads of a multiple of {} elements; this model's have {}.",
                            type_traits.name, type_traits.block_elements, n_elements),
                "Use -ctk f16 -ctv f16.");
        }
        return type_traits.row_bytes(n_elements);
    };
    const uint64_t head_bytes =
        row_bytes(type_k, static_cast<uint64_t>(key_length)) + row_bytes(type_v, static_cast<uint64_t>(value_length));
    uint64_t n_heads_total = 0;
    for (const int32_t n : n_heads_kv) n_heads_total += static_cast<uint64_t>(n);
    return n_heads_total * head_bytes * static_cast<uint64_t>(n_ctx);
}

MemoryNeed memory_need(const ModelSummary& summary, const MemoryCase& memory) {
    return {summary.size_bytes, summary.kv_bytes(memory.n_ctx, memory.type_k, memory.type_v)};
}

ModelSummary summarise(const GgufFile& file) {
    ModelSummary summary;
    summary.architecture = file.get_string("general.architecture");
    const auto key = [&](const char* name) { return summary.architecture + "." + name; };
    constexpr uint32_t kMost = 1u << 30; // keeps products in 64 bits; no real model is near
    const auto count = [&](const char* name) {
        return file.has(key(name)) ? static_cast<int32_t>(file.get_u32_in(key(name), 0, kMost)) : 0;
    };

    summary.types = shares_of(file);
    for (const TypeShare& share : summary.types) {
        summary.n_params += share.n_elements;
        summary.size_bytes += share.size_bytes;
    }
    const bool is_tied = file.find_tensor("output.weight") == nullptr;
    for (const format::TensorInfo& tensor : file.tensors()) {
        const double share = read_share_of(tensor.name, is_tied, static_cast<uint32_t>(count("expert_count")),
                                           static_cast<uint32_t>(count("expert_used_count")));
        summary.n_active_params += static_cast<uint64_t>(share * static_cast<double>(tensor.n_elements()));
        summary.active_bytes += static_cast<uint64_t>(share * static_cast<double>(tensor.size_bytes));
    }
    summary.name = file.get_or<std::string_view>("general.name", "");
    if (summary.name.empty()) summary.name = std::filesystem::path(file.name()).stem().string();
    summary.file_type = file_type_name(file, summary.types);
    summary.type = std::format("{} {} {}", summary.architecture, size_label(summary.n_params), summary.file_type);

    summary.n_ctx_train = count("context_length");
    summary.n_embd = count("embedding_length");
    summary.n_layers = count("block_count");
    if (const format::GgufValue* tokens = file.find("tokenizer.ggml.tokens"); tokens != nullptr && tokens->is_array()) {
        summary.n_vocab = static_cast<int32_t>(std::min<uint64_t>(tokens->count(), kMost));
    } else {
        summary.n_vocab = count("vocab_size");
    }
    const auto n_layers = static_cast<size_t>(std::min(summary.n_layers, 1 << 16));
    const auto heads = file.get_per_layer_or<int32_t>(key("attention.head_count"), n_layers, 0);
    summary.n_heads = heads.empty() ? 0 : std::ranges::max(heads);
    summary.n_heads_kv = file.has(key("attention.head_count_kv"))
                             ? file.get_per_layer<int32_t>(key("attention.head_count_kv"), n_layers)
                             : heads;
    for (int32_t& n : summary.n_heads_kv) n = std::clamp(n, 0, 1 << 16);
    const int32_t head_size = summary.n_heads > 0 ? summary.n_embd / summary.n_heads : 0;
    summary.key_length = file.has(key("attention.key_length")) ? count("attention.key_length") : head_size;
    summary.value_length = file.has(key("attention.value_length")) ? count("attention.value_length") : head_size;

    summary.tokenizer = file.get_or<std::string_view>("tokenizer.ggml.model", "");
    summary.pre_tokenizer = file.get_or<std::string_view>("tokenizer.ggml.pre", "");
    summary.has_chat_template = file.has("tokenizer.chat_template");
    summary.default_sampling = sampling_of(file);
    return summary;
}

std::string format_bytes(uint64_t n_bytes) {
    const auto n = static_cast<double>(n_bytes);
    if (n_bytes >= uint64_t{1} << 30) return std::format("{:.2f} GiB", n / (uint64_t{1} << 30));
    if (n_bytes >= uint64_t{1} << 20) return std::format("{:.2f} MiB", n / (uint64_t{1} << 20));
    if (n_bytes >= uint64_t{1} << 10) return std::format("{:.2f} KiB", n / (uint64_t{1} << 10));
    return std::format("{} B", n_bytes);
}

} // namespace vkinfer::runtime
