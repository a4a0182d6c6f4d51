// vkinfer-make-model: writes a GGUF file with random weights, for benchmarks (synthetic_model.h).
#include "benchmarks/synthetic_model.h"

#include "base/error.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

using namespace vkinfer;
using namespace vkinfer::benchmarks;

namespace {

format::TensorType type_of(const std::string& name) {
    const format::TypeTraits* found = format::find_traits(name);
    if (found == nullptr) {
        throw Error(ErrorKind::invalid_input, "tensor type " + name + " is not known.",
                    "Use F16, Q8_0, Q4_0, Q4_K, ...");
    }
    return found->type;
}

/// A type, or the name that files of its K_M mix have.
void set_type(SyntheticOptions& options, const std::string& name) {
    const std::string stem = name.ends_with("_M") || name.ends_with("_m") ? name.substr(0, name.size() - 2) : "";
    const bool is_mix = format::find_traits(name) == nullptr && format::find_traits(stem) != nullptr;
    options.type = type_of(is_mix ? stem : name);
    options.output_type.reset();
    if (is_mix) options.mix = TypeMix::k_m;
}

TypeMix mix_of(const std::string& name) {
    if (name == "uniform") return TypeMix::uniform;
    if (name == "k_m") return TypeMix::k_m;
    throw Error(ErrorKind::invalid_input, "mix " + name + " is not known.", "Use uniform or k_m.");
}

/// PATTERN=TYPE
TypeRule rule_of(const std::string& text) {
    const size_t equals = text.rfind('=');
    if (equals == 0 || equals == text.npos) {
        throw Error(ErrorKind::invalid_input, "--type-of " + text + " is not of the form PATTERN=TYPE.",
                    "For example --type-of attn_v=Q6_K.");
    }
    return {text.substr(0, equals), type_of(text.substr(equals + 1))};
}

int run(int argc, char** argv) {
    SyntheticOptions options;
    std::string output, preset, type, output_type, mix;
    std::vector<std::string> rules;
    // Options given on the command line win over those of the preset, wherever they stand: so the preset is found
    // first.
    for (int i = 1; i + 1 < argc; ++i) {
        if (std::string_view(argv[i]) == "--preset") preset = argv[i + 1];
    }
    const auto presets = synthetic_presets();
    if (!preset.empty()) {
        const auto found = std::ranges::find(presets, preset, &SyntheticPreset::name);
        if (found == presets.end()) {
            throw Error(ErrorKind::not_found, "preset " + preset + " does not exist.", "See --help for the list.");
        }
        options = found->options;
    }

    CLI::App app("Writes a GGUF model with random weights, for benchmarks.");
    std::string help = "start from:";
    for (const SyntheticPreset& p : presets) help += std::string("\n  ") + p.name + ": " + p.help;
    std::string architectures;
    for (const char* name : synthetic_architectures())
        architectures += (architectures.empty() ? "" : ", ") + std::string(name);
    app.set_version_flag("--version", VKINFER_VERSION);
    app.add_option("-o,--output,output", output, "file to write")->required();
    app.add_option("--preset", preset, help);
    app.add_option("--architecture", options.architecture, architectures)->capture_default_str();
    app.add_option("--layers", options.n_layers, "number of layers")->capture_default_str();
    app.add_option("--embd", options.n_embd, "width of the residual stream")->capture_default_str();
    app.add_option("--ff", options.n_ff, "width of the feed-forward part (of an expert)")->capture_default_str();
    app.add_option("--heads", options.n_heads, "query heads")->capture_default_str();
    app.add_option("--kv-heads", options.n_kv_heads, "key and value heads")->capture_default_str();
    app.add_option("--head-size", options.head_size, "elements of a head")->capture_default_str();
    app.add_option("--vocab", options.n_vocab, "tokens, at least 260")->capture_default_str();
    app.add_option("--context", options.context_length, "context length that the file claims")->capture_default_str();
    app.add_option("--experts", options.n_experts, "experts per layer, 0 for a dense model")->capture_default_str();
    app.add_option("--experts-used", options.n_experts_used, "experts per token")->capture_default_str();
    app.add_option("--shared-ff", options.n_ff_shared,
                   "width of the shared expert of qwen2moe and glm4moe; 0: as wide as usual")
        ->capture_default_str();
    app.add_option("--leading-dense", options.n_leading_dense, "first layers of glm4moe without experts; default 1");
    app.add_option("--dense-ff", options.n_ff_dense, "their width; 0: as wide as a token's experts together")
        ->capture_default_str();
    app.add_flag("--qk-norm,!--no-qk-norm", options.has_qk_norm, "norms of Q and K, of which glm4moe has the choice");
    app.add_flag("--tied,!--untied", options.tied, "use the token embedding as the output matrix too");
    app.add_option("--type", type,
                   "tensor type of the matrices: any GGUF type, or Q4_K_M for Q4_K with --mix k_m; default Q4_0");
    app.add_option("--output-type", output_type,
                   "tensor type of token embedding and output; default: as --type and --mix");
    app.add_option("--mix", mix, "uniform, or k_m: more bits where files named Q3_K_M, Q4_K_M and Q5_K_M have them");
    app.add_option(
           "--type-of", rules,
           "PATTERN=TYPE, tensor type of matrices by name (attn_v=Q6_K, blk.0.*shexp=F16); may be repeated, the "
           "last that matches counts")
        ->allow_extra_args(false);
    app.add_option("--seed", options.seed, "the same seed gives the same file")->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    if (!type.empty()) set_type(options, type);
    if (!output_type.empty()) options.output_type = type_of(output_type);
    if (!mix.empty()) options.mix = mix_of(mix);
    for (const std::string& rule : rules) options.type_rules.push_back(rule_of(rule));
    write_synthetic_model(output, options);
    std::printf("%s: %.1f MB\n", output.c_str(), static_cast<double>(std::filesystem::file_size(output)) / 1e6);
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const Error& error) {
        std::fprintf(stderr, "vkinfer-make-model: %s\n", error.full_text().c_str());
        return 1;
    }
}
