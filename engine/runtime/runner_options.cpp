#include "runtime/runner_options.h"

#include <format>

namespace vkinfer::runtime {

namespace {

format::TensorType cache_type(const char* option, const std::string& name) {
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
    runner.n_ubatch = options.n_ubatch;
    runner.max_sequences = options.n_parallel;
    runner.max_logits = max_logits;
    runner.type_k = cache_type("-ctk", options.type_k);
    runner.type_v = cache_type("-ctv", options.type_v);
    runner.coopmat = options.coopmat;
    runner.act = options.act;
    runner.validation = options.validation;
    runner.log = options.log;
    runner.progress = options.progress;
    return runner;
}

std::unique_ptr<ModelRunner> create_runner(const EngineOptions& options, int32_t max_logits) {
    return create_vulkan_runner(runner_options(options, max_logits));
}

} // namespace vkinfer::runtime
