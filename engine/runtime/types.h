// Plain structs that cross the border between the engine and its programs (server, chat, bench).
#pragma once

#include "base/error.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vkinfer::runtime {

using Token = int32_t;

/// Sampling of one request. The defaults are those of llama.cpp; a model file overrides them by `general.sampling.*`.
struct SamplingParams {
    float temperature = 0.8f;       ///< 0: greedy
    int32_t top_k = 40;             ///< 0: off
    float top_p = 0.95f;            ///< 1: off
    float min_p = 0.05f;            ///< 0: off
    float repeat_penalty = 1.0f;    ///< 1: off; divides positive and multiplies negative logits of recent tokens
    int32_t repeat_last_n = 64;     ///< window of all three penalties in tokens; 0: off, -1: whole context
    float presence_penalty = 0.0f;  ///< subtracted once from every token in the window
    float frequency_penalty = 0.0f; ///< subtracted once per occurrence in the window
    std::optional<uint64_t> seed;   ///< nothing: a random one, reported in the log
    std::vector<std::pair<Token, float>> logit_bias; ///< added before everything else; -infinity: never chosen

    /// Refuses NaN, infinities (but for a bias of -infinity) and values out of range, naming the field.
    Result<void> validate() const;
};

struct GenerationRequest {
    std::vector<Token> prompt; ///< at least one token
    SamplingParams sampling;
    int32_t max_tokens = -1;       ///< -1: until the context is full; 0: only evaluate the prompt
    std::vector<std::string> stop; ///< generation ends before the first of these texts, which is not emitted
    bool ignore_eos = false;       ///< benchmarks only: end-of-generation tokens do not end
};

enum class FinishReason : uint8_t {
    stop,      ///< end-of-generation token or stop string
    length,    ///< max_tokens or the context limit was reached
    cancelled, ///< cancel() or shutdown
    error,     ///< see GenerationResult::error
};

struct GenerationResult {
    FinishReason reason = FinishReason::stop;
    std::string stopping_word; ///< the stop string that ended it, if one did
    int32_t prompt_tokens = 0;
    int32_t cached_tokens = 0; ///< prompt tokens whose KV was reused
    int32_t completion_tokens = 0;
    double prompt_ms = 0;     ///< time from start of prefill to the first logits
    double completion_ms = 0; ///< time of the decode steps
    std::optional<Error> error;
};

/// One piece of an answer. The last event of a request has `result`; there is exactly one such event per request.
struct GenerationEvent {
    std::string text;          ///< always whole UTF-8 characters; may be empty
    std::string reasoning;     ///< thoughts that the model keeps apart from its answer; stop strings do not apply
    std::vector<Token> tokens; ///< tokens sampled since the last event
    std::optional<GenerationResult> result;
};

using RequestId = uint64_t;

/// Called on the engine's own thread: must not block and must not call back into the engine except cancel().
using EventHandler = std::function<void(RequestId, GenerationEvent)>;

/// What a client may know of the loaded model.
struct ModelInfo {
    std::string name; ///< alias, or general.name, or the file's stem
    std::string path;
    std::string architecture;
    std::string type; ///< such as "qwen3 Q8_0"
    uint64_t n_params = 0;
    uint64_t size_bytes = 0; ///< bytes of all tensors in the file
    int32_t n_vocab = 0;
    int32_t n_embd = 0;
    int32_t n_ctx_train = 0;
    int32_t n_ctx = 0;      ///< tokens one sequence can hold in this engine
    int32_t n_parallel = 0; ///< sequences that run at the same time
    int32_t created_unix = 0;
    SamplingParams default_sampling;
};

struct ChatRequest {
    std::string messages_json;        ///< JSON array as in the OpenAI API, key order kept
    std::string tools_json;           ///< JSON array or empty
    std::string template_kwargs_json; ///< JSON object or empty: further template variables
    bool add_generation_prompt = true;
};

/// What the server and the terminal chat need of an engine; runtime::Engine implements it, tests use a fake.
/// All functions may be called from any thread.
class Generator {
public:
    virtual ~Generator() = default;

    virtual const ModelInfo& info() const = 0;

    /// Text -> ids. `add_special`: add BOS/EOS as the model wants; `parse_special`: recognise control tokens in the
    /// text.
    virtual std::vector<Token> tokenize(std::string_view text, bool add_special, bool parse_special) const = 0;
    /// Ids -> text; special tokens are rendered if `special`.
    virtual std::string detokenize(const std::vector<Token>& tokens, bool special) const = 0;
    /// Renders the chat template; an error the template raises comes back as invalid_input.
    virtual Result<std::string> apply_template(const ChatRequest& chat) const = 0;

    /// Queues a request. Errors found at once (empty prompt, longer than the context, queue full, shutting down) are
    /// returned; everything later arrives as the last event.
    virtual Result<RequestId> submit(GenerationRequest request, EventHandler on_event) = 0;
    /// Ends a request soon; its last event has FinishReason::cancelled. Unknown or finished ids are ignored.
    virtual void cancel(RequestId id) = 0;

    /// The error that ended the engine (a lost device), after which every submit() fails with it; otherwise success.
    virtual Result<void> health() const { return {}; }
};

} // namespace vkinfer::runtime
