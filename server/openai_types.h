// Requests of the OpenAI API, with the fields that llama.cpp's clients add: parsed, checked, defaults filled in.
// What a request may say about sampling is one row per field in openai_types.cpp.
#pragma once

#include "runtime/types.h"
#include "server/api_error.h"

#include <boost/json/object.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::server {

/// One number that a request may set; see sampling_fields().
struct NumberField {
    const char* name;
    const char* alias; ///< a second name, or null
    double lowest;
    double highest;
    bool is_integer;
    const char* help;
    void (*set)(runtime::SamplingParams&, double);
};
std::span<const NumberField> sampling_fields();

/// What chat and text completions have in common.
struct GenerationFields {
    runtime::SamplingParams sampling;
    int32_t max_tokens = -1; ///< -1: until the context is full
    std::vector<std::string> stop;
    bool ignore_eos = false;
    bool stream = false;
    bool include_usage = false; ///< stream_options.include_usage
};

struct ChatCompletionRequest {
    GenerationFields fields;
    runtime::ChatRequest chat;
    bool parse_tool_calls = false; ///< the request offers tools
};

struct CompletionRequest {
    GenerationFields fields;
    std::optional<std::string> prompt_text; ///< exactly one of both
    std::vector<runtime::Token> prompt_tokens;
};

/// A body that must be a JSON object.
ApiResult<boost::json::object> parse_body(std::string_view body);

ApiResult<GenerationFields> parse_generation_fields(const boost::json::object& body, const runtime::ModelInfo& model);

/// Messages, tools and template arguments of a body; also for /apply-template, which takes nothing else.
ApiResult<runtime::ChatRequest> parse_chat(const boost::json::object& body, std::string_view body_text);

ApiResult<ChatCompletionRequest> parse_chat_completion(std::string_view body, const runtime::ModelInfo& model);
ApiResult<CompletionRequest> parse_completion(std::string_view body, const runtime::ModelInfo& model);

/// Token ids of a JSON array, each within the vocabulary.
ApiResult<std::vector<runtime::Token>> parse_tokens(const boost::json::array& array, const char* field,
                                                    const runtime::ModelInfo& model);

/// A boolean member, or `fallback` where it is absent or null.
ApiResult<bool> read_bool(const boost::json::object& object, const char* name, bool fallback);

} // namespace vkinfer::server
