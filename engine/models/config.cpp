#include "models/config.h"

#include "base/error.h"
#include "format/gguf_file.h"

#include <algorithm>
#include <cmath>
#include <format>
#include <numbers>

namespace vkinfer::models {

namespace {

constexpr uint32_t kMaxWidth = 1u << 20;

RopeConfig read_rope(const format::GgufFile& file, const std::string& arch, const ModelConfig& config) {
    const auto key = [&](const char* name) { return arch + "." + name; };
    RopeConfig rope;
    rope.n_rot = file.get_or<uint32_t>(key("rope.dimension_count"), config.head_size);
    if (rope.n_rot > config.head_size || rope.n_rot % 2 != 0) {
        throw Error(ErrorKind::invalid_input, std::format("{}: {} is {}, but a head has {} dimensions.", file.name(),
                                                          key("rope.dimension_count"), rope.n_rot, config.head_size));
    }
    rope.base = file.get_or<float>(key("rope.freq_base"), 10000.0f);
    const std::string_view scaling = file.get_or<std::string_view>(key("rope.scaling.type"), "linear");
    float factor = file.get_or<float>(key("rope.scaling.factor"), 0.0f);
    if (factor == 0.0f) factor = file.get_or<float>(key("rope.scale_linear"), 0.0f);
    rope.factor = factor > 0 ? factor : 1.0;
    if (scaling == "none") {
        rope.factor = 1.0;
    } else if (scaling == "linear") {
        rope.scaling = rope.factor == 1.0 ? RopeConfig::Scaling::none : RopeConfig::Scaling::linear;
    } else if (scaling == "yarn") {
        rope.scaling = RopeConfig::Scaling::yarn;
    } else {
        throw Error(ErrorKind::unsupported,
                    std::format("{}: {} is \"{}\".", file.name(), key("rope.scaling.type"), scaling),
                    "Known types are none, linear and yarn.");
    }
    rope.original_context =
        file.get_or<float>(key("rope.scaling.original_context_length"), static_cast<float>(config.n_ctx_train));
    rope.attn_factor = file.get_or<float>(key("rope.scaling.attn_factor"), 1.0f);
    rope.ext_factor = file.get_or<float>(key("rope.scaling.yarn_ext_factor"), -1.0f);
    rope.beta_fast = file.get_or<float>(key("rope.scaling.yarn_beta_fast"), 32.0f);
    rope.beta_slow = file.get_or<float>(key("rope.scaling.yarn_beta_slow"), 1.0f);
    rope.log_multiplier = file.get_or<float>(key("rope.scaling.yarn_log_multiplier"), 0.0f);
    if (!(rope.base > 1.0) || !std::isfinite(rope.base) || !std::isfinite(rope.factor)) {
        throw Error(ErrorKind::invalid_input, std::format("{}: rope frequency base {} or factor {} cannot be right.",
                                                          file.name(), rope.base, rope.factor));
    }
    return rope;
}

uint32_t one_for_all(const format::GgufFile& file, const std::string& key, uint32_t n_layers, uint32_t low,
                     uint32_t high) {
    const std::vector<uint32_t> values = file.get_per_layer<uint32_t>(key, n_layers);
    if (std::ranges::adjacent_find(values, std::not_equal_to<>()) != values.end()) {
        throw Error(ErrorKind::unsupported, std::format("{}: {} differs from layer to layer.", file.name(), key),
                    "No architecture here has layers of unlike width yet.");
    }
    if (values.empty() || values[0] < low || values[0] > high) {
        throw Error(ErrorKind::invalid_input, std::format("{}: {} is {}, expected {} to {}.", file.name(), key,
                                                          values.empty() ? 0 : values[0], low, high));
    }
    return values[0];
}

} // namespace

ModelConfig read_config(const format::GgufFile& file) {
    ModelConfig config;
    config.architecture = std::string(file.get_string("general.architecture"));
    const std::string& arch = config.architecture;
    const auto key = [&](const char* name) { return arch + "." + name; };

    config.n_layers = file.get_u32_in(key("block_count"), 1, 512);
    config.n_embd = file.get_u32_in(key("embedding_length"), 1, kMaxWidth);
    config.n_ff = one_for_all(file, key("feed_forward_length"), config.n_layers, 1, 4 * kMaxWidth);
    config.n_heads = one_for_all(file, key("attention.head_count"), config.n_layers, 1, 4096);
    config.n_kv_heads = file.has(key("attention.head_count_kv"))
                            ? one_for_all(file, key("attention.head_count_kv"), config.n_layers, 1, 4096)
                            : config.n_heads;
    if (config.n_heads % config.n_kv_heads != 0) {
        throw Error(ErrorKind::invalid_input, std::format("{}: {} query heads do not divide among {} K/V heads.",
                                                          file.name(), config.n_heads, config.n_kv_heads));
    }
    config.head_size = file.get_or<uint32_t>(key("attention.key_length"), config.n_embd / config.n_heads);
    config.value_size = file.get_or<uint32_t>(key("attention.value_length"), config.head_size);
    const auto is_head = [](uint32_t size) { return size > 0 && size <= 1024 && size % 8 == 0; };
    if (!is_head(config.head_size) || !is_head(config.value_size)) {
        throw Error(
            ErrorKind::unsupported,
            std::format("{}: heads of {} (K) and {} (V) dimensions.", file.name(), config.head_size, config.value_size),
            "K and V must have sizes that are multiples of 8 up to 1024.");
    }
    if (config.n_embd % kernels::kBlockElements != 0 || config.n_ff % kernels::kBlockElements != 0 ||
        config.attended_width() % kernels::kBlockElements != 0) {
        throw Error(ErrorKind::unsupported,
                    std::format("{}: widths {} (embedding), {} (feed-forward) and {} (heads) must be multiples of {}.",
                                file.name(), config.n_embd, config.n_ff, config.attended_width(),
                                kernels::kBlockElements));
    }
    config.n_ctx_train = file.get_u32_in(key("context_length"), 1, 1u << 30);
    config.norm_eps = file.get<float>(key("attention.layer_norm_rms_epsilon"));
    if (!(config.norm_eps >= 0.0f) || !std::isfinite(config.norm_eps)) {
        throw Error(ErrorKind::invalid_input, std::format("{}: {} is {}.", file.name(),
                                                          key("attention.layer_norm_rms_epsilon"), config.norm_eps));
    }
    const float scale = file.get_or<float>(key("attention.scale"), 0.0f);
    config.attention_scale = scale != 0.0f ? scale : 1.0f / std::sqrt(static_cast<float>(config.head_size));

    const format::TensorInfo& embedding = file.tensor("token_embd.weight");
    config.n_vocab = static_cast<uint32_t>(std::min<uint64_t>(embedding.dims[1], 1u << 24));
    config.rope = read_rope(file, arch, config);
    return config;
}

std::vector<uint32_t> read_windows(const format::GgufFile& file, const ModelConfig& config, uint32_t default_period) {
    const std::string pattern_key = config.architecture + ".attention.sliding_window_pattern";
    const uint32_t window = file.get_or<uint32_t>(config.architecture + ".attention.sliding_window", 0);
    if (window == 0) return {};
    std::vector<uint32_t> windows(config.n_layers);
    const format::GgufValue* pattern = file.find(pattern_key);
    if (pattern != nullptr && pattern->is_array()) {
        const std::vector<bool> slides = file.get_per_layer<bool>(pattern_key, config.n_layers);
        for (uint32_t il = 0; il < config.n_layers; ++il) windows[il] = slides[il] ? window : 0;
        return windows;
    }
    const uint32_t period = file.get_or<uint32_t>(pattern_key, default_period);
    for (uint32_t il = 0; il < config.n_layers; ++il)
        windows[il] = period == 0 || il % period < period - 1 ? window : 0;
    return windows;
}

uint64_t turns_to_fixed_point(double turns) {
    // 53 bits of the double are all there is; whole turns drop out.
    return static_cast<uint64_t>((turns - std::floor(turns)) * 0x1p64);
}

RopeFrequencies rope_frequencies(const RopeConfig& rope, const std::vector<float>& frequency_factors) {
    const uint32_t n_pairs = rope.n_rot / 2;
    RopeFrequencies result;
    const bool is_yarn = rope.scaling == RopeConfig::Scaling::yarn;
    const double freq_scale = rope.scaling == RopeConfig::Scaling::none ? 1.0 : 1.0 / rope.factor;
    const double ext_factor = rope.ext_factor >= 0 ? rope.ext_factor : (is_yarn ? 1.0 : 0.0);

    double low = 0, high = 0;
    if (ext_factor != 0.0) {
        const auto correction = [&](double rotations) {
            return rope.n_rot * std::log(rope.original_context / (2.0 * std::numbers::pi * rotations)) /
                   (2.0 * std::log(rope.base));
        };
        low = std::max(0.0, std::floor(correction(rope.beta_fast)));
        high = std::min(static_cast<double>(rope.n_rot) - 1.0, std::ceil(correction(rope.beta_slow)));
    }
    for (uint32_t i = 0; i < n_pairs; ++i) {
        const double factor = i < frequency_factors.size() && frequency_factors[i] != 0.0f ? frequency_factors[i] : 1.0;
        const double extrapolated = std::pow(rope.base, -2.0 * i / rope.n_rot) / factor;
        double mix = 0.0;
        if (ext_factor != 0.0) {
            mix = ext_factor * (1.0 - std::clamp((i - low) / std::max(0.001, high - low), 0.0, 1.0));
        }
        const double radians = (1.0 - mix) * freq_scale * extrapolated + mix * extrapolated;
        result.pairs.push_back(turns_to_fixed_point(radians / (2.0 * std::numbers::pi)));
    }
    const auto magnitude = [&](double a) { return rope.factor <= 1.0 ? 1.0 : 1.0 + 0.1 * a * std::log(rope.factor); };
    double m = rope.attn_factor;
    if (is_yarn && ext_factor != 0.0) {
        m *= magnitude(1.0);
        if (rope.log_multiplier != 0.0) m /= magnitude(rope.log_multiplier);
    }
    result.magnitude = static_cast<float>(m);
    return result;
}

} // namespace vkinfer::models
