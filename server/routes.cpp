#include "server/routes.h"

#include "server/api_error.h"
#include "server/endpoints/endpoints.h"
#include "server/json_text.h"

#include <array>
#include <format>
#include <new>

namespace vkinfer::server {

namespace {

constexpr std::array kRoutes = {
    Route{Method::get, "/health", Access::open, Needs::nothing, health},
    Route{Method::get, "/v1/health", Access::open, Needs::nothing, health},
    Route{Method::get, "/v1/models", Access::key, Needs::model, list_models},
    Route{Method::get, "/models", Access::key, Needs::model, list_models},
    Route{Method::get, "/v1/models/*", Access::key, Needs::model, retrieve_model},
    Route{Method::post, "/v1/chat/completions", Access::key, Needs::model, chat_completions},
    Route{Method::post, "/chat/completions", Access::key, Needs::model, chat_completions},
    Route{Method::post, "/v1/completions", Access::key, Needs::model, completions},
    Route{Method::post, "/completions", Access::key, Needs::model, completions},
    Route{Method::post, "/tokenize", Access::key, Needs::model, tokenize},
    Route{Method::post, "/detokenize", Access::key, Needs::model, detokenize},
    Route{Method::post, "/apply-template", Access::key, Needs::model, apply_template},
};

const char* name_of(Method method) {
    return method == Method::get ? "GET" : "POST";
}

bool path_matches(const Route& route, std::string_view path) {
    const std::string_view pattern = route.path;
    if (!pattern.ends_with('*')) return path == pattern;
    const std::string_view prefix = pattern.substr(0, pattern.size() - 1);
    return path.size() > prefix.size() && path.starts_with(prefix);
}

bool method_matches(const Route& route, Method method) {
    return route.method == method || (route.method == Method::get && method == Method::head);
}

const Route* find_route(const Request& request) {
    for (const Route& route : kRoutes) {
        if (path_matches(route, request.path) && method_matches(route, request.method)) return &route;
    }
    return nullptr;
}

/// Takes as long for a nearly right key as for a wrong one of the same length.
bool same_key(std::string_view given, std::string_view key) {
    if (given.size() != key.size()) return false;
    unsigned different = 0;
    for (size_t i = 0; i < key.size(); ++i) different |= static_cast<unsigned>(given[i] ^ key[i]);
    return different == 0;
}

bool has_key(const Request& request, std::span<const std::string> api_keys) {
    if (api_keys.empty()) return true;
    constexpr std::string_view kScheme = "Bearer ";
    std::string_view given = request.api_key;
    if (request.authorization.starts_with(kScheme)) {
        given = std::string_view(request.authorization).substr(kScheme.size());
    }
    bool found = false;
    for (const std::string& key : api_keys) found |= same_key(given, key);
    return found;
}

Response no_such_route(const Request& request) {
    std::string allowed;
    for (const Route& route : kRoutes) {
        if (!path_matches(route, request.path)) continue;
        allowed += allowed.empty() ? "" : ", ";
        allowed += name_of(route.method);
    }
    ApiError error;
    if (allowed.empty()) {
        error.status = 404;
        error.type = "not_found_error";
        error.code = "not_found";
        error.message = std::format("There is no endpoint {}", quote(request.path));
        return error_response(error);
    }
    error.status = 405;
    error.code = "method_not_allowed";
    error.message = std::format("{} takes {}", request.path, allowed);
    Response response = error_response(error);
    response.headers.emplace_back("Allow", allowed);
    return response;
}

Response preflight() {
    return {.status = 204,
            .headers = {{"Access-Control-Allow-Methods", "GET, POST, OPTIONS"},
                        {"Access-Control-Allow-Headers", "Authorization, Content-Type, X-Api-Key"},
                        {"Access-Control-Max-Age", "86400"}}};
}

} // namespace

std::span<const Route> routes() {
    return kRoutes;
}

std::optional<Response> answer_early(const Request& head, std::span<const std::string> api_keys) {
    if (head.method == Method::options) return preflight();
    const Route* route = find_route(head);
    // Without a key, nobody learns which paths exist.
    if ((!route || route->access == Access::key) && !has_key(head, api_keys)) {
        ApiError error{.status = 401,
                       .message = "The API key is missing or wrong: send Authorization: Bearer KEY",
                       .type = "authentication_error",
                       .code = "invalid_api_key"};
        return error_response(error);
    }
    if (!route) return no_such_route(head);
    return std::nullopt;
}

Reply dispatch(const Context& context, const Request& request) {
    const Route* route = find_route(request);
    if (!route) return no_such_route(request);
    if (route->needs == Needs::model && !context.model) return loading_response();
    try {
        return route->handler(context, request);
    } catch (const Error& error) {
        return error_response(from_error(error));
    } catch (const std::bad_alloc&) {
        return error_response(from_error(Error(ErrorKind::out_of_memory, "Not enough memory for this request")));
    } catch (const std::exception& error) {
        return error_response(from_error(Error(ErrorKind::internal, error.what())));
    }
}

} // namespace vkinfer::server
