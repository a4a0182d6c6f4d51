// One answer of a Generator, as a program waits for it.
#pragma once

#include "runtime/types.h"

#include <atomic>
#include <functional>
#include <string>
#include <string_view>

namespace vkinfer::tools {

/// Submits the request, passes the text on as it comes (on the caller's thread), and returns at its end. When
/// `interrupted` becomes true the request is cancelled. Throws Error when it is refused or ends with an error.
runtime::GenerationResult stream_answer(runtime::Generator& generator, runtime::GenerationRequest request,
                                        const std::function<void(std::string_view)>& on_text,
                                        const std::atomic<bool>& interrupted);

/// "[12 + 8 cached prompt tokens, 35.1 t/s; 20 tokens, 21.0 t/s]"
std::string timing_text(const runtime::GenerationResult& result);

/// The messages of a conversation, and requests made of them.
class Conversation {
public:
    explicit Conversation(std::string system) : system_(std::move(system)) {}

    void add(std::string_view role, std::string_view content);
    void remove_last();
    void clear() { messages_.clear(); }
    void set_system(std::string system) { system_ = std::move(system); }
    size_t size() const { return messages_.size(); }

    /// JSON array with the system message first, as in the OpenAI API.
    std::string json() const;
    /// Tokens of the rendered template, ready for an answer. Throws Error.
    std::vector<runtime::Token> prompt(const runtime::Generator& generator) const;

private:
    std::string system_;
    std::vector<std::string> messages_; ///< JSON objects
};

} // namespace vkinfer::tools
