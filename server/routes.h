// From a request to the handler that answers it, with the checks that come before any handler.
#pragma once

#include "server/reply.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vkinfer::server {

enum class Access : uint8_t { open, key };
enum class Needs : uint8_t { nothing, model };

struct Route {
    Method method;    ///< HEAD is answered where GET is
    const char* path; ///< a * at the end stands for any further text
    Access access;
    Needs needs;
    Handler handler;
};

std::span<const Route> routes();

/// What can be said before the body is read: unknown paths and methods, a missing or wrong key, a preflight request.
std::optional<Response> answer_early(const Request& head, std::span<const std::string> api_keys);

/// Runs the handler. Exceptions, such as memory that runs out while a body is parsed, become error answers.
Reply dispatch(const Context& context, const Request& request);

} // namespace vkinfer::server
