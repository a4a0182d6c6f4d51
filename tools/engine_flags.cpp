#include "tools/engine_flags.h"

#include "base/file.h"
#include "base/log.h"

#include <string>
#include <vector>

namespace vkinfer::tools {

namespace {

/// Options of llama.cpp's programs that mean nothing here, each with one value.
void accept_and_ignore(CLI::App& app, const std::vector<const char*>& names) {
    for (const char* name : names) {
        app.add_option_function<std::string>(name, [](const std::string&) {}, "")->group("");
    }
}

} // namespace

void add_model_flags(CLI::App& app, runtime::EngineOptions& options) {
    app.add_option("-m,--model", options.model, "model file (GGUF); the first of a split one; default: the demo model");
    app.add_option("--device,--dev", options.device, "device: index, UUID or part of the name (see: vkinfer devices)");
    app.add_option("--ctk,--cache-type-k", options.type_k,
                   "type of the K cache: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0, iq4_nl; auto: f16, or smaller "
                   "where it is fitted (-ctk)")
        ->capture_default_str();
    app.add_option("--ctv,--cache-type-v", options.type_v, "type of the V cache (-ctv)")->capture_default_str();
    app.add_option("--coopmat", options.coopmat, "cooperative matrices")
        ->check(CLI::IsMember({"auto", "on", "off"}))
        ->capture_default_str();
    app.add_option("--act", options.act, "precision of activations in matmuls")
        ->check(CLI::IsMember({"auto", "f32", "f16", "q8"}))
        ->capture_default_str();
    app.add_option("--bs,--backend-sampling", options.backend_sampling,
                   "choose tokens on the device, several in one submission; auto: where it is a GPU (-bs)")
        ->check(CLI::IsMember({"auto", "on", "off"}))
        ->expected(0, 1)
        ->default_str("auto")
        ->capture_default_str();
    app.add_flag("--spill", options.allow_spill,
                 "put weights that a discrete card has no room for into host memory, read over PCIe (slow)");
    app.add_option(
           "--expert-stats", options.expert_stats,
           "--spill: how often each expert is chosen (from vkinfer logits --stats-out); the least chosen leave first")
        ->check(CLI::ExistingFile);
    app.add_flag("--validation", options.validation, "run under the Vulkan validation layer");
    app.add_flag_function(
        "-v,--verbose", [&](int64_t) { options.log = Log(stderr_sink(), LogLevel::debug); }, "log details");
}

void add_engine_flags(CLI::App& app, runtime::EngineOptions& options) {
    app.add_option("-c,--ctx-size", options.n_ctx,
                   "tokens one sequence can hold; 0: the model's own, as far as it fits")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_flag_function(
        "--fit,!--no-fit", [&](int64_t n) { options.fit = n > 0; },
        "less context, or smaller K/V types, where they do not fit (the default without -c)");
    app.add_option("--ub,--ubatch-size", options.n_ubatch, "tokens evaluated at once (-ub)")
        ->check(CLI::Range(1, 1 << 16))
        ->capture_default_str();
    app.add_option_function<std::string>(
           "--chat-template", [&](const std::string& text) { options.chat_template = text; },
           "Jinja template in place of the model's")
        ->type_name("TEXT");
    app.add_option_function<std::string>(
           "--chat-template-file", [&](const std::string& path) { options.chat_template = read_text_file(path); },
           "the same from a file")
        ->type_name("FILE");
    accept_and_ignore(app, {"--ngl,--n-gpu-layers,--gpu-layers", "--fa,--flash-attn", "-b,--batch-size", "-t,--threads",
                            "--tb,--threads-batch", "--lm,--load-mode"});
}

runtime::SamplingParams SamplingFlags::over(runtime::SamplingParams defaults) const {
    const auto take = []<class T>(T& field, const std::optional<T>& value) {
        if (value) field = *value;
    };
    take(defaults.temperature, temperature);
    take(defaults.top_k, top_k);
    take(defaults.top_p, top_p);
    take(defaults.min_p, min_p);
    take(defaults.repeat_penalty, repeat_penalty);
    take(defaults.repeat_last_n, repeat_last_n);
    take(defaults.presence_penalty, presence_penalty);
    take(defaults.frequency_penalty, frequency_penalty);
    if (seed) defaults.seed = seed;
    if (auto valid = defaults.validate(); !valid) throw valid.error();
    return defaults;
}

void add_sampling_flags(CLI::App& app, SamplingFlags& flags) {
    constexpr const char* kGroup =
        "Sampling (defaults: the model's, else temperature 0.8, top-k 40, top-p 0.95, min-p 0.05)";
    app.add_option("--temp,--temperature", flags.temperature, "0: always the likeliest token")->group(kGroup);
    app.add_option("--top-k", flags.top_k, "of the k likeliest tokens only; 0: off")->group(kGroup);
    app.add_option("--top-p", flags.top_p, "of the likeliest tokens that make up this probability; 1: off")
        ->group(kGroup);
    app.add_option("--min-p", flags.min_p, "not below this share of the likeliest; 0: off")->group(kGroup);
    app.add_option("--repeat-penalty", flags.repeat_penalty, "against tokens of the window; 1: off")->group(kGroup);
    app.add_option("--repeat-last-n", flags.repeat_last_n, "tokens in the window; -1: the whole context")
        ->group(kGroup);
    app.add_option("--presence-penalty", flags.presence_penalty, "taken off each token of the window once")
        ->group(kGroup);
    app.add_option("--frequency-penalty", flags.frequency_penalty, "taken off per occurrence")->group(kGroup);
    app.add_option("-s,--seed", flags.seed, "the same seed gives the same answer; default: random")->group(kGroup);
}

} // namespace vkinfer::tools
