// From options to an engine: reads the file's header, then gives it to tokenizer, template and runner.
#include "format/gguf_file.h"
#include "runtime/engine.h"
#include "runtime/gguf_text_model.h"
#include "runtime/model_summary.h"
#include "runtime/runner_options.h"

#include <chrono>

namespace vkinfer::runtime {

std::unique_ptr<Engine> Engine::create(const EngineOptions& options) {
    const std::filesystem::path path = options.model.empty() ? default_model_path() : options.model;
    const format::GgufFile file(path);
    const ModelSummary summary = summarise(file);
    auto text = text_model_from_gguf(file, options.chat_template, options.log);
    std::unique_ptr<VulkanRunner> runner = create_vulkan_runner(runner_options(options, 0));
    if (options.warm_up) runner->warm_up();

    const auto now = std::chrono::system_clock::now();
    ModelInfo info;
    info.name = options.alias.empty() ? summary.name : options.alias;
    info.path = path.string();
    info.architecture = summary.architecture;
    info.type = summary.type;
    info.n_params = summary.n_params;
    info.size_bytes = summary.size_bytes;
    info.n_vocab = runner->limits().n_vocab;
    info.n_embd = summary.n_embd;
    info.n_ctx_train = summary.n_ctx_train;
    info.n_ctx = runner->limits().n_ctx;
    info.n_parallel = runner->limits().max_sequences;
    info.created_unix = static_cast<int32_t>(std::chrono::system_clock::to_time_t(now));
    info.default_sampling = summary.default_sampling;

    SchedulerOptions scheduling = options.scheduling;
    scheduling.log = options.log;
    return std::make_unique<Engine>(std::move(info), std::move(text), std::move(runner), scheduling);
}

} // namespace vkinfer::runtime
