// The handlers of all endpoints; routes.cpp says at which paths they answer.
#pragma once

#include "server/reply.h"

namespace vkinfer::server {

Reply health(const Context&, const Request&);
Reply list_models(const Context&, const Request&);
Reply retrieve_model(const Context&, const Request&);
Reply chat_completions(const Context&, const Request&);
Reply completions(const Context&, const Request&);
Reply tokenize(const Context&, const Request&);
Reply detokenize(const Context&, const Request&);
Reply apply_template(const Context&, const Request&);

} // namespace vkinfer::server
