// Brings the messages of a chat request into the form that chat templates expect.
#pragma once

#include "server/api_error.h"

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

namespace vkinfer::server {

/// Checks `messages` (whose text is `messages_text`) and returns JSON in which
/// - content is a text: text parts of a list are joined by line breaks, other parts are refused;
/// - arguments of tool calls are objects where the client sent a text with an object, as the templates of model files
///   are written for objects.
/// Everything else stays as the client spelled it. Roles are left to the template, which knows its own.
ApiResult<std::string> normalise_messages(const boost::json::value& messages, std::string_view messages_text);

} // namespace vkinfer::server
