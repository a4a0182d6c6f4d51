// What a client reads when a request fails: the OpenAI error object, and the one table from ErrorKind to HTTP status.
#pragma once

#include "base/error.h"
#include "server/http.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

namespace vkinfer::server {

struct ApiError {
    int status = 400;
    std::string message;
    std::string type = "invalid_request_error";
    std::string param; ///< the request field at fault; empty: null in the answer
    std::string code;  ///< a word that programs can test; empty: null in the answer
    /// Numbers of context_length_exceeded, under the names that llama.cpp's clients read.
    struct Overflow {
        int64_t n_prompt_tokens;
        int64_t n_ctx;
    };
    std::optional<Overflow> overflow;
    int retry_after_s = 0; ///< 0: no Retry-After header
};

template<class T>
using ApiResult = std::expected<T, ApiError>;

/// A field of the request is wrong: 400 that names it.
std::unexpected<ApiError> bad_field(std::string field, std::string message);
/// A field asks for something that is not built yet: 400 that names it.
std::unexpected<ApiError> unsupported_field(std::string field, std::string message);
/// More prompt tokens than the context holds.
ApiError context_overflow(int64_t n_prompt_tokens, int64_t n_ctx);

ApiError from_error(const Error& error);

/// {"error":{"message","type","param","code"}}
std::string error_body(const ApiError& error);
Response error_response(const ApiError& error);
/// 503 in the words that llama.cpp's clients wait for while a model loads.
Response loading_response();

} // namespace vkinfer::server
