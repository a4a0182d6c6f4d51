#include "tools/answer.h"

#include "tools/json_text.h"

#include <chrono>
#include <condition_variable>
#include <format>
#include <mutex>
#include <utility>

namespace vkinfer::tools {

using namespace runtime;

GenerationResult stream_answer(Generator& generator, GenerationRequest request,
                               const std::function<void(std::string_view)>& on_text,
                               const std::atomic<bool>& interrupted) {
    std::mutex mutex;
    std::condition_variable arrived;
    std::string text;
    std::optional<GenerationResult> result;
    const auto id = generator.submit(std::move(request), [&](RequestId, GenerationEvent event) {
        // Notified under the lock: after the last event the waiter may return and destroy all this.
        const std::lock_guard lock(mutex);
        text += event.text;
        if (event.result) result = std::move(event.result);
        arrived.notify_one();
    });
    if (!id) throw id.error();

    bool is_cancelled = false;
    for (;;) {
        std::string piece;
        bool is_last = false;
        {
            std::unique_lock lock(mutex);
            // A signal handler cannot notify, so the flag is looked at now and then.
            arrived.wait_for(lock, std::chrono::milliseconds(50), [&] { return !text.empty() || result; });
            piece.swap(text);
            is_last = result.has_value();
        }
        if (!piece.empty()) on_text(piece);
        if (is_last) break;
        if (interrupted && !is_cancelled) {
            generator.cancel(*id);
            is_cancelled = true;
        }
    }
    if (result->reason == FinishReason::error) {
        throw result->error ? *result->error : Error(ErrorKind::internal, "The request failed without a reason.");
    }
    return std::move(*result);
}

std::string timing_text(const GenerationResult& result) {
    const auto per_second = [](double n, double ms) { return ms > 0 ? n / ms * 1000 : 0.0; };
    const int32_t n_read = result.prompt_tokens - result.cached_tokens;
    // The first token comes with the prompt.
    const int32_t n_steps = std::max(result.completion_tokens - 1, 0);
    return std::format("[prompt {} tokens ({} cached), {:.1f} t/s; answer {} tokens, {:.1f} t/s]", result.prompt_tokens,
                       result.cached_tokens, per_second(n_read, result.prompt_ms), result.completion_tokens,
                       per_second(n_steps, result.completion_ms));
}

void Conversation::add(std::string_view role, std::string_view content) {
    messages_.push_back(std::format(R"({{"role":{},"content":{}}})", json_string(role), json_string(content)));
}

void Conversation::remove_last() {
    if (!messages_.empty()) messages_.pop_back();
}

std::string Conversation::json() const {
    std::string json = "[";
    if (!system_.empty()) json += std::format(R"({{"role":"system","content":{}}})", json_string(system_));
    for (const std::string& message : messages_) {
        if (json.size() > 1) json += ',';
        json += message;
    }
    return json + "]";
}

std::vector<Token> Conversation::prompt(const Generator& generator) const {
    const auto rendered = generator.apply_template({.messages_json = json()});
    if (!rendered) throw rendered.error();
    return generator.tokenize(*rendered, false, true);
}

} // namespace vkinfer::tools
