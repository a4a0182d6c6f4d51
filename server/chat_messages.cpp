#include "server/chat_messages.h"

#include "server/json_text.h"

#include <boost/json.hpp>
#include <format>

namespace vkinfer::server {

namespace json = boost::json;

namespace {

ApiResult<std::string> joined_parts(const json::array& parts, const std::string& field) {
    std::string text;
    for (size_t i = 0; i < parts.size(); ++i) {
        const std::string part_field = std::format("{}[{}]", field, i);
        const json::object* part = parts[i].if_object();
        const json::value* type = part ? part->if_contains("type") : nullptr;
        if (!type || !type->is_string()) return bad_field(part_field, "expected an object with a type");
        if (type->get_string() != "text") {
            return unsupported_field(part_field,
                                     std::format("type {} is not supported, only text is", quote(type->get_string())));
        }
        const json::value* part_text = part->if_contains("text");
        if (!part_text || !part_text->is_string()) return bad_field(part_field, "text is missing or is not a string");
        if (i > 0) text += '\n';
        text += part_text->get_string();
    }
    return text;
}

/// The text of one element of tool_calls with arguments as an object.
std::string with_object_arguments(const json::value& call, std::string_view call_text) {
    const json::object* object = call.if_object();
    const json::value* function = object ? object->if_contains("function") : nullptr;
    const json::object* inner = function ? function->if_object() : nullptr;
    const json::value* arguments = inner ? inner->if_contains("arguments") : nullptr;
    if (!arguments || !arguments->is_string()) return std::string(call_text);
    const std::string_view arguments_text = arguments->get_string();
    const auto parsed = parse_json(arguments_text);
    if (!parsed || !parsed->is_object()) return std::string(call_text);
    return with_member(call_text, "function",
                       with_member(member_text(call_text, "function"), "arguments", arguments_text));
}

ApiResult<std::string> normalise_message(const json::value& value, std::string_view text, size_t index) {
    const std::string field = std::format("messages[{}]", index);
    const json::object* message = value.if_object();
    if (!message) return bad_field(field, "expected an object");
    const json::value* role = message->if_contains("role");
    if (!role || !role->is_string()) return bad_field(field, "role is missing or is not a string");

    std::string normalised(text);
    const json::value* content = message->if_contains("content");
    if (!content || content->is_null()) {
        // An answer may consist of tool calls only.
        if (role->get_string() != "assistant") return bad_field(field, "content is missing");
    } else if (content->is_array()) {
        const auto joined = joined_parts(content->get_array(), field + ".content");
        if (!joined) return std::unexpected(joined.error());
        normalised = with_member(normalised, "content", quote(*joined));
    } else if (!content->is_string()) {
        return bad_field(field + ".content", "expected a text or a list of parts");
    }

    const json::value* calls = message->if_contains("tool_calls");
    if (calls && calls->is_array()) {
        const auto call_texts = element_texts(member_text(text, "tool_calls"));
        std::string list = "[";
        for (size_t i = 0; i < call_texts.size(); ++i) {
            if (i > 0) list += ',';
            list += with_object_arguments(calls->get_array()[i], call_texts[i]);
        }
        normalised = with_member(normalised, "tool_calls", list + "]");
    }
    return normalised;
}

} // namespace

ApiResult<std::string> normalise_messages(const json::value& messages, std::string_view messages_text) {
    if (!messages.is_array()) return bad_field("messages", "expected a list");
    if (messages.get_array().empty()) return bad_field("messages", "is empty");
    const auto texts = element_texts(messages_text);
    std::string normalised = "[";
    for (size_t i = 0; i < texts.size(); ++i) {
        auto message = normalise_message(messages.get_array()[i], texts[i], i);
        if (!message) return std::unexpected(message.error());
        if (i > 0) normalised += ',';
        normalised += *message;
    }
    return normalised + "]";
}

} // namespace vkinfer::server
