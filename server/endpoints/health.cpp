// GET /health: 200 as soon as requests are taken, 503 while the model loads, 500 once the device is lost.
#include "server/api_error.h"
#include "server/endpoints/endpoints.h"

namespace vkinfer::server {

Reply health(const Context& context, const Request&) {
    if (!context.model) return loading_response();
    const auto healthy = context.model->health();
    if (!healthy) return error_response(from_error(healthy.error()));
    return Response{.body = R"({"status":"ok"})"};
}

} // namespace vkinfer::server
