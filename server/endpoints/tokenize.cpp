// POST /tokenize, /detokenize and /apply-template, as llama.cpp's clients use them to count and inspect tokens.
#include "server/endpoints/endpoints.h"
#include "server/json_text.h"
#include "server/openai_types.h"

#include <boost/json.hpp>

namespace vkinfer::server {

namespace json = boost::json;

Reply tokenize(const Context& context, const Request& request) {
    const auto body = parse_body(request.body);
    if (!body) return error_response(body.error());
    const json::value* content = body->if_contains("content");
    if (!content || !content->is_string()) {
        return error_response(bad_field("content", "is missing or is not a text").error());
    }
    const auto add_special = read_bool(*body, "add_special", false);
    if (!add_special) return error_response(add_special.error());
    const auto parse_special = read_bool(*body, "parse_special", true);
    if (!parse_special) return error_response(parse_special.error());
    const auto with_pieces = read_bool(*body, "with_pieces", false);
    if (!with_pieces) return error_response(with_pieces.error());

    json::array tokens;
    for (const runtime::Token token : context.model->tokenize(content->get_string(), *add_special, *parse_special)) {
        if (*with_pieces) {
            tokens.push_back(json::object{{"id", token}, {"piece", context.model->detokenize({token}, true)}});
        } else {
            tokens.push_back(token);
        }
    }
    return Response{.body = to_text(json::object{{"tokens", std::move(tokens)}})};
}

Reply detokenize(const Context& context, const Request& request) {
    const auto body = parse_body(request.body);
    if (!body) return error_response(body.error());
    const json::value* list = body->if_contains("tokens");
    if (!list || !list->is_array()) {
        return error_response(bad_field("tokens", "is missing or is not a list of token ids").error());
    }
    const auto tokens = parse_tokens(list->get_array(), "tokens", context.model->info());
    if (!tokens) return error_response(tokens.error());
    return Response{.body = to_text(json::object{{"content", context.model->detokenize(*tokens, true)}})};
}

Reply apply_template(const Context& context, const Request& request) {
    const auto body = parse_body(request.body);
    if (!body) return error_response(body.error());
    const auto chat = parse_chat(*body, request.body);
    if (!chat) return error_response(chat.error());
    const auto prompt = context.model->apply_template(*chat);
    if (!prompt) return error_response(from_error(prompt.error()));
    return Response{.body = to_text(json::object{{"prompt", *prompt}})};
}

} // namespace vkinfer::server
