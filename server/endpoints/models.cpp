// GET /v1/models and /v1/models/NAME: the one model that is loaded.
#include "server/api_error.h"
#include "server/endpoints/endpoints.h"
#include "server/json_text.h"

#include <boost/json.hpp>
#include <format>

namespace vkinfer::server {

namespace {

boost::json::object describe(const runtime::ModelInfo& info) {
    return {{"id", info.name},
            {"object", "model"},
            {"created", info.created_unix},
            {"owned_by", "vkinfer"},
            {"meta",
             {{"architecture", info.architecture},
              {"type", info.type},
              {"n_vocab", info.n_vocab},
              {"n_ctx_train", info.n_ctx_train},
              {"n_ctx", info.n_ctx},
              {"n_parallel", info.n_parallel},
              {"n_embd", info.n_embd},
              {"n_params", info.n_params},
              {"size", info.size_bytes}}}};
}

} // namespace

Reply list_models(const Context& context, const Request&) {
    const boost::json::array models{describe(context.model->info())};
    return Response{.body = to_text(boost::json::object{{"object", "list"}, {"data", models}})};
}

Reply retrieve_model(const Context& context, const Request& request) {
    const runtime::ModelInfo& info = context.model->info();
    const std::string_view name = std::string_view(request.path).substr(std::string_view("/v1/models/").size());
    if (name == info.name) return Response{.body = to_text(describe(info))};
    ApiError error{.status = 404, .type = "not_found_error", .param = "model", .code = "model_not_found"};
    error.message = std::format("There is no model {}, this server has {}", quote(name), quote(info.name));
    return error_response(error);
}

} // namespace vkinfer::server
