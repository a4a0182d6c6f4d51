#include "server/api_error.h"

#include "server/json_text.h"

#include <boost/json.hpp>
#include <format>

namespace vkinfer::server {

namespace {

struct KindRow {
    ErrorKind kind;
    int status;
    const char* type;
    const char* code;
    int retry_after_s;
};

// The retry times are guesses at how long a place takes to become free; clients back off further by themselves.
constexpr KindRow kKinds[] = {
    {ErrorKind::invalid_input, 400, "invalid_request_error", "", 0},
    {ErrorKind::not_found, 404, "not_found_error", "not_found", 0},
    {ErrorKind::unsupported, 400, "invalid_request_error", "unsupported", 0},
    {ErrorKind::io, 500, "server_error", "io_error", 0},
    {ErrorKind::out_of_memory, 503, "server_error", "out_of_memory", 5},
    {ErrorKind::device_lost, 500, "server_error", "device_lost", 0},
    {ErrorKind::context_overflow, 400, "invalid_request_error", "context_length_exceeded", 0},
    {ErrorKind::unavailable, 503, "unavailable_error", "unavailable", 1},
    {ErrorKind::cancelled, 503, "unavailable_error", "cancelled", 1},
    {ErrorKind::internal, 500, "server_error", "internal_error", 0},
};

} // namespace

std::unexpected<ApiError> bad_field(std::string field, std::string message) {
    ApiError error;
    error.message = std::format("{}: {}", field, message);
    error.param = std::move(field);
    error.code = "invalid_value";
    return std::unexpected(std::move(error));
}

std::unexpected<ApiError> unsupported_field(std::string field, std::string message) {
    auto error = bad_field(std::move(field), std::move(message));
    error.error().code = "unsupported_parameter";
    return error;
}

ApiError context_overflow(int64_t n_prompt_tokens, int64_t n_ctx) {
    ApiError error;
    error.message = std::format("The prompt has {} tokens (n_prompt), the context holds {} (n_ctx). Shorten the prompt "
                                "or start the server with a larger -c.",
                                n_prompt_tokens, n_ctx);
    error.code = "context_length_exceeded";
    error.overflow = ApiError::Overflow{.n_prompt_tokens = n_prompt_tokens, .n_ctx = n_ctx};
    return error;
}

ApiError from_error(const Error& error) {
    ApiError mapped;
    mapped.message = error.full_text();
    for (const KindRow& row : kKinds) {
        if (row.kind != error.kind()) continue;
        mapped.status = row.status;
        mapped.type = row.type;
        mapped.code = row.code;
        mapped.retry_after_s = row.retry_after_s;
    }
    return mapped;
}

std::string error_body(const ApiError& error) {
    const auto word = [](const std::string& text) {
        return text.empty() ? boost::json::value() : boost::json::value(text);
    };
    boost::json::object inner{
        {"message", error.message}, {"type", error.type}, {"param", word(error.param)}, {"code", word(error.code)}};
    if (error.overflow) {
        inner["n_prompt_tokens"] = error.overflow->n_prompt_tokens;
        inner["n_ctx"] = error.overflow->n_ctx;
    }
    return to_text(boost::json::object{{"error", std::move(inner)}});
}

Response error_response(const ApiError& error) {
    Response response{.status = error.status, .body = error_body(error)};
    if (error.retry_after_s > 0) response.headers.emplace_back("Retry-After", std::to_string(error.retry_after_s));
    if (error.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
    return response;
}

Response loading_response() {
    return {.status = 503,
            .body = R"({"error":{"code":503,"message":"Loading model","type":"unavailable_error"}})",
            .headers = {{"Retry-After", "1"}}};
}

} // namespace vkinfer::server
