#include "runtime/runner_options.h"

#include <format>

namespace vkinfer::runtime {

namespace {

std::optional<format::TensorType> cache_type(const char* option, const std::string& name) {
    if (name == "auto") return std::nullopt;
    const format::TypeTraits* found = format::find_traits(std::string_view(name));
    if (found == nullptr) {
        throw Error(ErrorKind::invalid_input, std::format("{} {}: there is no tensor type of that name.", option, name),
                    "Types of the cache are f16, q8_0 and q4_0.");
    }
    return found->type;
}

} // namespace

RunnerOptions runner_options(const EngineOptions& options, int32_t max_logits) {
    RunnerOptions runner;
    runner.model = options.model.empty() ? default_model_path() : options.model;
    runner.device = options.device;
    runner.n_ctx = options.n_ctx;
    runner.is_fit = options.fit.value_or(options.n_ctx == 0);
    runner.allow_spill = options.allow_spill;
    runner.expert_stats = options.expert_stats;
    runner.n_ubatch = options.n_ubatch;
    runner.max_sequences = options.n_parallel;
    runner.max_logits = max_logits;
    runner.type_k = cache_type("-ctk", options.type_k);
    runner.type_v = cache_type("-ctv", options.type_v);
    runner.coopmat = options.coopmat;
    runner.act = options.act;
    runner.backend_sampling = options.backend_sampling;
    runner.validation = options.validation;
    runner.count_experts = options.count_experts;
    runner.tuned = options.tuned;
    runner.profile = options.profile;
    runner.log = options.log;
    runner.progress = options.progress;
    return runner;
}

kernels::PolicyOptions policy_options(const RunnerOptions& options) {
    const auto coopmat = kernels::parse_coopmat_mode(options.coopmat);
    if (!coopmat) {
        throw Error(ErrorKind::invalid_input, std::format("--coopmat {}: expected auto, on or off.", options.coopmat));
    }
    const auto act = kernels::parse_activation_mode(options.act);
    if (!act) {
        throw Error(ErrorKind::invalid_input, std::format("--act {}: expected auto, f32, f16 or q8.", options.act));
    }
    return {*coopmat, *act};
}

MemoryWish memory_wish(const RunnerOptions& options) {
    const auto in_range = [](const char* flag, int64_t value, int64_t low, int64_t high) {
        if (value < low || value > high) {
            throw Error(ErrorKind::invalid_input, std::format("{} is {}, expected {} to {}.", flag, value, low, high));
        }
    };
    in_range("-c", options.n_ctx, 0, 1 << 24);
    in_range("-ub", options.n_ubatch, 1, 8192);
    in_range("-np", options.max_sequences, 1, 1024);
    return {.n_ctx = options.n_ctx,
            .is_fit = options.is_fit,
            .n_ubatch = options.n_ubatch,
            .max_sequences = options.max_sequences,
            .max_logits = options.max_logits,
            .type_k = options.type_k,
            .type_v = options.type_v,
            .allow_spill = options.allow_spill,
            .expert_stats = options.expert_stats,
            .spilled_experts = options.spilled_experts,
            .is_staged = options.is_staged,
            .samples_on_device = options.backend_sampling != "off",
            .shares_layers = options.shares_layers};
}

std::unique_ptr<ModelRunner> create_runner(const EngineOptions& options, int32_t max_logits) {
    RunnerOptions runner = runner_options(options, max_logits);
    if (max_logits > 0) runner.backend_sampling = "off"; // the logits are what is wanted
    return create_vulkan_runner(runner);
}

} // namespace vkinfer::runtime
