// The idea that makes it fast and independent of the block formats: for each type and standard deviation a pool of
// blocks is made once, by quantising random normals or, for types that nothing here can write, by drawing random bits
// until they decode to values of the wanted size. A tensor is then a sequence of randomly chosen blocks of its pool.
#include "benchmarks/synthetic_model.h"

#include "base/error.h"
#include "benchmarks/synthetic_vocabulary.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <format>
#include <map>
#include <numbers>
#include <utility>
#include <vector>

namespace vkinfer::benchmarks {

using format::GgufWriter;
using format::TensorType;
using format::TypeTraits;

namespace {

/// What the architectures differ in, as far as files of random weights are concerned.
struct Architecture {
    const char* name;
    bool qkv_bias = false;
    bool qk_norm = false;
    bool needs_experts = false;
    float rope_freq_base = 10000.0f;
};

constexpr Architecture kArchitectures[] = {
    {.name = "llama"},
    {.name = "qwen2", .qkv_bias = true, .rope_freq_base = 1000000.0f},
    {.name = "qwen3", .qk_norm = true, .rope_freq_base = 1000000.0f},
    {.name = "qwen3moe", .qk_norm = true, .needs_experts = true, .rope_freq_base = 1000000.0f},
};

constexpr SyntheticPreset kPresets[] = {
    {"llama-88m", "88 M parameters in Q4_0: the model of the comparison runs", {}},
    {"moe-114m",
     "114 M parameters in Q4_0, 32 experts of which 4 are used",
     {.architecture = "qwen3moe",
      .n_layers = 8,
      .n_embd = 512,
      .n_ff = 256,
      .n_heads = 8,
      .n_kv_heads = 2,
      .head_size = 64,
      .n_experts = 32,
      .n_experts_used = 4}},
    {"1b",
     "the shape of Llama 3.2 1B, Q4_0",
     {.n_layers = 16, .n_embd = 2048, .n_ff = 8192, .n_heads = 32, .n_kv_heads = 8, .n_vocab = 128256, .tied = true}},
    {"7b",
     "the shape of Llama 2 7B, Q4_0",
     {.n_layers = 32,
      .n_embd = 4096,
      .n_ff = 11008,
      .n_heads = 32,
      .n_kv_heads = 32,
      .head_size = 128,
      .n_vocab = 32000}},
    {"8b",
     "the shape of Llama 3 8B, Q4_0",
     {.n_layers = 32,
      .n_embd = 4096,
      .n_ff = 14336,
      .n_heads = 32,
      .n_kv_heads = 8,
      .head_size = 128,
      .n_vocab = 128256}},
    {"30b-a3b",
     "the shape of Qwen3 30B-A3B, Q4_0",
     {.architecture = "qwen3moe",
      .n_layers = 48,
      .n_embd = 2048,
      .n_ff = 768,
      .n_heads = 32,
      .n_kv_heads = 4,
      .head_size = 128,
      .n_vocab = 151936,
      .n_experts = 128,
      .n_experts_used = 8}},
};

/// splitmix64: small, fast, and the same everywhere.
class Random {
public:
    explicit Random(uint64_t seed) : state_(seed) {}

    uint64_t next() {
        uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    /// In (0, 1).
    double uniform() { return (static_cast<double>(next() >> 11) + 0.5) * 0x1p-53; }
    float normal() {
        const double radius = std::sqrt(-2.0 * std::log(uniform()));
        return static_cast<float>(radius * std::cos(2.0 * std::numbers::pi * uniform()));
    }

private:
    uint64_t state_;
};

/// Blocks of one type whose values have about one standard deviation.
struct Pool {
    size_t entry_bytes = 0;
    size_t entry_elements = 0;
    std::vector<std::byte> bytes;

    size_t n_entries() const { return bytes.size() / entry_bytes; }
};

float root_mean_square(std::span<const float> values) {
    double sum = 0;
    for (const float value : values) sum += static_cast<double>(value) * value;
    return static_cast<float>(std::sqrt(sum / static_cast<double>(values.size())));
}

Pool quantised_normals(const TypeTraits& type, float deviation, Random& random) {
    constexpr size_t kEntries = 2048;
    Pool pool;
    // Types of single elements come in pieces of 32, which is faster and divides every row that is used.
    pool.entry_elements = std::max<size_t>(type.block_elements, 32);
    pool.entry_bytes = type.row_bytes(pool.entry_elements);
    std::vector<float> values(kEntries * pool.entry_elements);
    for (float& value : values) value = deviation * random.normal();
    pool.bytes.resize(kEntries * pool.entry_bytes);
    type.quantise(values.data(), pool.bytes.data(), values.size());
    return pool;
}

Pool random_bits(const TypeTraits& type, float deviation, Random& random) {
    constexpr size_t kEntries = 256;
    constexpr size_t kMaxTries = 20'000'000;
    Pool pool;
    pool.entry_elements = type.block_elements;
    pool.entry_bytes = type.block_bytes;
    std::vector<std::byte> block((type.block_bytes + 7) / 8 * 8);
    std::vector<float> values(type.block_elements);
    for (size_t i = 0; i < kMaxTries && pool.bytes.size() < kEntries * pool.entry_bytes; ++i) {
        for (size_t at = 0; at < block.size(); at += 8) {
            const uint64_t bits = random.next();
            std::memcpy(block.data() + at, &bits, sizeof bits);
        }
        type.dequantise(block.data(), values.data(), values.size());
        const float size = root_mean_square(values);
        if (!(size > deviation / 2 && size < deviation * 2)) continue; // false for NaN too
        pool.bytes.insert(pool.bytes.end(), block.begin(), block.begin() + type.block_bytes);
    }
    if (pool.bytes.empty()) {
        throw Error(ErrorKind::unsupported, std::format("no random blocks of {} could be made.", type.name));
    }
    return pool;
}

/// What a tensor of the model holds.
struct Plan {
    std::string name;
    TensorType type = TensorType::f32;
    std::vector<uint64_t> dims;
    float mean = 0.0f;
    float deviation = 0.0f;
};

class Generator {
public:
    explicit Generator(const SyntheticOptions& options) : options_(options), random_(options.seed) {
        const auto* found = std::ranges::find(kArchitectures, options.architecture, &Architecture::name);
        if (found == std::end(kArchitectures)) {
            throw Error(ErrorKind::invalid_input, std::format("architecture {} cannot be made.", options.architecture),
                        "Use llama, qwen2, qwen3 or qwen3moe.");
        }
        architecture_ = found;
        check();
        plan();
    }

    void write(const std::filesystem::path& path, const std::function<void(uint64_t, uint64_t)>& progress) {
        GgufWriter writer(path);
        write_metadata(writer);
        for (const Plan& tensor : plans_) writer.add_tensor(tensor.name, tensor.type, tensor.dims);
        const uint64_t all = writer.size_bytes();
        uint64_t done = 0;
        for (size_t i = 0; i < plans_.size(); ++i) {
            fill(writer, plans_[i], writer.tensors()[i]);
            done += writer.tensors()[i].size_bytes;
            if (progress) progress(done, all);
        }
        writer.finish();
    }

private:
    void check() const {
        const SyntheticOptions& o = options_;
        const auto refuse = [](const std::string& why, const char* hint) {
            throw Error(ErrorKind::invalid_input, why, hint);
        };
        for (const uint32_t value : {o.n_layers, o.n_embd, o.n_ff, o.n_heads, o.n_kv_heads, o.head_size}) {
            if (value == 0 || value > (1u << 24)) {
                refuse(std::format("a size of {} makes no model.", value), "Use sizes from 1 to 16777216.");
            }
        }
        if (o.n_heads % o.n_kv_heads != 0) {
            refuse(std::format("{} heads cannot share {} key heads.", o.n_heads, o.n_kv_heads),
                   "The number of heads must be a multiple of the number of key heads.");
        }
        if (o.head_size % 2 != 0) refuse("the head size is odd.", "Rotary positions need an even one.");
        if (o.n_vocab < kSmallestVocabulary) {
            refuse(std::format("a vocabulary of {} is too small.", o.n_vocab), "All bytes and some controls need 260.");
        }
        if (architecture_->needs_experts && o.n_experts == 0) {
            refuse(std::format("{} needs experts.", o.architecture), "Say how many.");
        }
        if (o.n_experts != 0 && (o.n_experts_used == 0 || o.n_experts_used > o.n_experts)) {
            refuse(std::format("{} of {} experts cannot be used.", o.n_experts_used, o.n_experts), "Use some of them.");
        }
        for (const TensorType type : {o.type, o.output_type}) {
            if (format::traits(type).dequantise == nullptr ||
                format::traits(type).kind == format::TypeKind::activation) {
                refuse(std::format("{} is no type for weights.", to_string(type)), "Use F16, Q8_0, Q4_0, Q4_K, ...");
            }
        }
    }

    void matrix(std::string name, TensorType type, std::vector<uint64_t> dims, float gain) {
        const float deviation = gain / std::sqrt(static_cast<float>(dims[0]));
        plans_.push_back({std::move(name), type, std::move(dims), 0.0f, deviation});
    }
    void vector(std::string name, uint64_t size, float mean, float deviation) {
        plans_.push_back({std::move(name), TensorType::f32, {size}, mean, deviation});
    }

    // In the order in which the engine needs them. Gains keep the logits at a standard deviation of about 2.
    void plan() {
        const SyntheticOptions& o = options_;
        const uint64_t q_size = uint64_t{o.n_heads} * o.head_size, kv_size = uint64_t{o.n_kv_heads} * o.head_size;
        matrix("token_embd.weight", o.output_type, {o.n_embd, o.n_vocab}, 2.0f);
        for (uint32_t layer = 0; layer < o.n_layers; ++layer) {
            const std::string block = std::format("blk.{}.", layer);
            vector(block + "attn_norm.weight", o.n_embd, 1.0f, 0.1f);
            matrix(block + "attn_q.weight", o.type, {o.n_embd, q_size}, 1.0f);
            matrix(block + "attn_k.weight", o.type, {o.n_embd, kv_size}, 1.0f);
            matrix(block + "attn_v.weight", o.type, {o.n_embd, kv_size}, 1.0f);
            if (architecture_->qkv_bias) {
                vector(block + "attn_q.bias", q_size, 0.0f, 0.2f);
                vector(block + "attn_k.bias", kv_size, 0.0f, 0.2f);
                vector(block + "attn_v.bias", kv_size, 0.0f, 0.2f);
            }
            if (architecture_->qk_norm) {
                vector(block + "attn_q_norm.weight", o.head_size, 1.0f, 0.1f);
                vector(block + "attn_k_norm.weight", o.head_size, 1.0f, 0.1f);
            }
            matrix(block + "attn_output.weight", o.type, {q_size, o.n_embd}, 1.0f);
            vector(block + "ffn_norm.weight", o.n_embd, 1.0f, 0.1f);
            if (o.n_experts == 0) {
                matrix(block + "ffn_gate.weight", o.type, {o.n_embd, o.n_ff}, 1.0f);
                matrix(block + "ffn_up.weight", o.type, {o.n_embd, o.n_ff}, 1.0f);
                matrix(block + "ffn_down.weight", o.type, {o.n_ff, o.n_embd}, 1.0f);
            } else {
                matrix(block + "ffn_gate_inp.weight", TensorType::f32, {o.n_embd, o.n_experts}, 1.0f);
                matrix(block + "ffn_gate_exps.weight", o.type, {o.n_embd, o.n_ff, o.n_experts}, 1.0f);
                matrix(block + "ffn_up_exps.weight", o.type, {o.n_embd, o.n_ff, o.n_experts}, 1.0f);
                matrix(block + "ffn_down_exps.weight", o.type, {o.n_ff, o.n_embd, o.n_experts}, 1.0f);
            }
        }
        vector("output_norm.weight", o.n_embd, 1.0f, 0.1f);
        if (!o.tied) matrix("output.weight", o.output_type, {o.n_embd, o.n_vocab}, 2.0f);
    }

    void write_metadata(GgufWriter& writer) const {
        const SyntheticOptions& o = options_;
        const auto key = [&](const char* name) { return o.architecture + "." + name; };
        writer.set("general.architecture", o.architecture);
        writer.set("general.name", std::format("synthetic {} with random weights", o.architecture));
        writer.set("general.quantization_version", uint32_t{2});
        writer.set(key("context_length"), o.context_length);
        writer.set(key("embedding_length"), o.n_embd);
        writer.set(key("block_count"), o.n_layers);
        writer.set(key("feed_forward_length"), o.n_ff);
        writer.set(key("attention.head_count"), o.n_heads);
        writer.set(key("attention.head_count_kv"), o.n_kv_heads);
        writer.set(key("attention.key_length"), o.head_size);
        writer.set(key("attention.value_length"), o.head_size);
        writer.set(key("attention.layer_norm_rms_epsilon"), 1e-5f);
        writer.set(key("rope.dimension_count"), o.head_size);
        writer.set(key("rope.freq_base"), architecture_->rope_freq_base);
        writer.set(key("vocab_size"), o.n_vocab);
        if (o.n_experts != 0) {
            writer.set(key("expert_count"), o.n_experts);
            writer.set(key("expert_used_count"), o.n_experts_used);
            writer.set(key("expert_feed_forward_length"), o.n_ff);
        }
        write_synthetic_vocabulary(writer, o.n_vocab);
    }

    const Pool& pool(TensorType type, float deviation) {
        const auto [found, is_new] = pools_.try_emplace({type, deviation});
        if (is_new) {
            const TypeTraits& t = format::traits(type);
            found->second =
                t.quantise != nullptr ? quantised_normals(t, deviation, random_) : random_bits(t, deviation, random_);
        }
        return found->second;
    }

    void fill(GgufWriter& writer, const Plan& plan, const format::TensorInfo& info) {
        if (plan.dims.size() == 1) {
            std::vector<float> values(plan.dims[0]);
            for (float& value : values) value = plan.mean + plan.deviation * random_.normal();
            writer.append(std::as_bytes(std::span(values)));
            return;
        }
        const Pool& source = pool(plan.type, plan.deviation);
        constexpr size_t kChunkBytes = size_t{1} << 20;
        std::vector<std::byte> chunk;
        for (uint64_t left = info.size_bytes; left > 0;) {
            chunk.clear();
            while (chunk.size() < std::min<uint64_t>(kChunkBytes, left)) {
                const std::byte* entry = source.bytes.data() + random_.next() % source.n_entries() * source.entry_bytes;
                chunk.insert(chunk.end(), entry, entry + source.entry_bytes);
            }
            chunk.resize(std::min<uint64_t>(chunk.size(), left));
            writer.append(chunk);
            left -= chunk.size();
        }
    }

    SyntheticOptions options_;
    const Architecture* architecture_ = nullptr;
    Random random_;
    std::vector<Plan> plans_;
    std::map<std::pair<TensorType, float>, Pool> pools_;
};

} // namespace

std::span<const SyntheticPreset> synthetic_presets() {
    return kPresets;
}

std::span<const char* const> synthetic_architectures() {
    static constexpr auto kNames = [] {
        std::array<const char*, std::size(kArchitectures)> names{};
        for (size_t i = 0; i < names.size(); ++i) names[i] = kArchitectures[i].name;
        return names;
    }();
    return kNames;
}

void write_synthetic_model(const std::filesystem::path& path, const SyntheticOptions& options,
                           const std::function<void(uint64_t, uint64_t)>& progress) {
    Generator(options).write(path, progress);
}

} // namespace vkinfer::benchmarks
