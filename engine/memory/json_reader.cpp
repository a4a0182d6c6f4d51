#include "memory/json_reader.h"

#include "base/error.h"

#include <algorithm>
#include <format>

namespace vkinfer::memory {

namespace json = boost::json;

JsonObject::JsonObject(const json::value& value, std::string path) : path_(std::move(path)) {
    object_ = value.if_object();
    if (object_ == nullptr) throw Error(ErrorKind::invalid_input, std::format("{}: is no JSON object.", path_));
}

void JsonObject::refuse(std::string_view key, const std::string& what) const {
    throw Error(ErrorKind::invalid_input, std::format("{}: field \"{}\" {}.", path_, key, what));
}

const json::value& JsonObject::field(std::string_view key) {
    const json::value* found = object_->if_contains(key);
    if (found == nullptr) refuse(key, "is missing");
    used_.emplace(key);
    return *found;
}

std::string JsonObject::text(std::string_view key) {
    const json::value& value = field(key);
    if (!value.is_string()) refuse(key, "is not a string");
    return std::string(value.get_string());
}

uint64_t JsonObject::number(std::string_view key, uint64_t high) {
    const json::value& value = field(key);
    uint64_t result = 0;
    if (value.is_uint64()) {
        result = value.get_uint64();
    } else if (value.is_int64() && value.get_int64() >= 0) {
        result = static_cast<uint64_t>(value.get_int64());
    } else {
        refuse(key, "is not an integer >= 0 of at most 64 bits");
    }
    if (result > high) refuse(key, std::format("is {}, at most {} is possible", result, high));
    return result;
}

int64_t JsonObject::signed_number(std::string_view key) {
    const json::value& value = field(key);
    if (!value.is_int64()) refuse(key, "is not an integer of 64 bits");
    return value.get_int64();
}

double JsonObject::real(std::string_view key) {
    const json::value& value = field(key);
    if (!value.is_number()) refuse(key, "is not a number");
    return value.to_number<double>();
}

bool JsonObject::boolean(std::string_view key) {
    const json::value& value = field(key);
    if (!value.is_bool()) refuse(key, "is neither true nor false");
    return value.get_bool();
}

const json::array& JsonObject::array(std::string_view key) {
    const json::value& value = field(key);
    if (!value.is_array()) refuse(key, "is not an array");
    return value.get_array();
}

std::vector<std::string> JsonObject::texts(std::string_view key) {
    std::vector<std::string> result;
    for (const json::value& value : array(key)) {
        if (!value.is_string()) refuse(key, "holds something that is not a string");
        result.emplace_back(value.get_string());
    }
    return result;
}

JsonObject JsonObject::object(std::string_view key) {
    return {field(key), std::format("{}: {}", path_, key)};
}

void JsonObject::finish() const {
    for (const auto& [key, value] : *object_) {
        if (!used_.contains(std::string_view(key))) refuse(key, "is not known");
    }
}

json::value parse_json(std::string_view text, std::string_view file_name) {
    boost::system::error_code failure;
    json::stream_parser parser;
    const size_t n = parser.write_some(text.data(), text.size(), failure);
    if (!failure) parser.finish(failure);
    if (!failure && text.find_first_not_of(" \t\r\n", n) != std::string_view::npos) failure = json::error::extra_data;
    if (failure) {
        const auto line = 1 + std::ranges::count(text.substr(0, n), '\n');
        throw Error(ErrorKind::invalid_input,
                    std::format("{}: is no JSON text: {} in line {}.", file_name, failure.message(), line));
    }
    return parser.release();
}

std::string pretty_json(const json::value& value, int indent) {
    const std::string inner(static_cast<size_t>(indent) + 2, ' ');
    const std::string outer(static_cast<size_t>(indent), ' ');
    std::string text;
    if (const json::object* object = value.if_object(); object != nullptr && !object->empty()) {
        for (const auto& [key, field] : *object) {
            text += std::format("{}\n{}{}: {}", text.empty() ? "{" : ",", inner, json::serialize(json::value(key)),
                                pretty_json(field, indent + 2));
        }
        return text + "\n" + outer + "}";
    }
    const json::array* array = value.if_array();
    if (array != nullptr && std::ranges::any_of(*array, [](const auto& v) { return v.is_structured(); })) {
        for (const json::value& element : *array) {
            text += std::format("{}\n{}{}", text.empty() ? "[" : ",", inner, pretty_json(element, indent + 2));
        }
        return text + "\n" + outer + "]";
    }
    return json::serialize(value);
}

} // namespace vkinfer::memory
