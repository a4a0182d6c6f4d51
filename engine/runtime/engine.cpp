#include "runtime/engine.h"

#include <thread>
#include <utility>

namespace vkinfer::runtime {

/// The scheduler and the one thread that steps it and uses the runner.
struct Engine::Worker {
    Worker(ModelRunner& runner, const TokenTexts& texts, const SchedulerOptions& options)
        : scheduler(runner, texts, options), thread([this] { scheduler.run(); }) {}
    ~Worker() {
        scheduler.stop();
        thread.join();
    }

    Scheduler scheduler;
    std::thread thread;
};

Engine::Engine(ModelInfo info, std::unique_ptr<TextModel> text, std::unique_ptr<ModelRunner> runner,
               const SchedulerOptions& scheduling)
    : info_(std::move(info)), text_(std::move(text)), runner_(std::move(runner)), description_(runner_->describe()),
      worker_(std::make_unique<Worker>(*runner_, *text_, scheduling)) {}

Engine::~Engine() = default;

std::vector<Token> Engine::tokenize(std::string_view text, bool add_special, bool parse_special) const {
    return text_->tokenize(text, add_special, parse_special);
}

std::string Engine::detokenize(const std::vector<Token>& tokens, bool special) const {
    return text_->detokenize(tokens, special);
}

Result<std::string> Engine::apply_template(const ChatRequest& chat) const {
    return text_->apply_template(chat);
}

Result<RequestId> Engine::submit(GenerationRequest request, EventHandler on_event) {
    return worker_->scheduler.submit(std::move(request), std::move(on_event));
}

void Engine::cancel(RequestId id) {
    worker_->scheduler.cancel(id);
}

Result<void> Engine::health() const {
    return worker_->scheduler.health();
}

bool Engine::drain(std::chrono::milliseconds timeout) {
    worker_->scheduler.drain();
    return worker_->scheduler.wait_idle(timeout);
}

SchedulerStats Engine::stats() const {
    return worker_->scheduler.stats();
}

} // namespace vkinfer::runtime
