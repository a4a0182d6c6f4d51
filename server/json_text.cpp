#include "server/json_text.h"

#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <format>

namespace vkinfer::server {

namespace json = boost::json;

std::optional<json::value> parse_json(std::string_view text, std::string* problem) {
    json::parse_options options;
    options.max_depth = kMaxJsonDepth;
    boost::system::error_code error;
    json::value value = json::parse(text, error, {}, options);
    if (!error) return value;
    if (problem) *problem = error.message();
    return std::nullopt;
}

namespace {

/// Bytes of the UTF-8 character at the front of `text`, 0 if it is not valid (RFC 3629, section 4).
size_t utf8_length(std::string_view text) {
    const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const auto continues = [&](size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        if (!continues(1) || !continues(2)) return 0;
        const bool overlong = first == 0xE0 && byte(1) < 0xA0;
        const bool surrogate = first == 0xED && byte(1) > 0x9F;
        return overlong || surrogate ? 0 : 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        if (!continues(1) || !continues(2) || !continues(3)) return 0;
        const bool overlong = first == 0xF0 && byte(1) < 0x90;
        const bool too_large = first == 0xF4 && byte(1) > 0x8F;
        return overlong || too_large ? 0 : 4;
    }
    return 0;
}

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    while (!text.empty()) {
        const char c = text.front();
        size_t n = 1;
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\r') {
            out += "\\r";
        } else if (c == '\t') {
            out += "\\t";
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out += std::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
            n = utf8_length(text);
            out += n == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(0, n);
            if (n == 0) n = 1;
        }
        text.remove_prefix(n);
    }
    out += '"';
}

void append_double(std::string& out, double number) {
    if (!std::isfinite(number)) {
        out += "null";
        return;
    }
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    const std::string_view text(digits, static_cast<size_t>(end - digits));
    out += text;
    if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void append(std::string& out, const json::value& value) {
    switch (value.kind()) {
    case json::kind::null:
        out += "null";
        return;
    case json::kind::bool_:
        out += value.get_bool() ? "true" : "false";
        return;
    case json::kind::int64:
        out += std::to_string(value.get_int64());
        return;
    case json::kind::uint64:
        out += std::to_string(value.get_uint64());
        return;
    case json::kind::double_:
        append_double(out, value.get_double());
        return;
    case json::kind::string:
        append_quoted(out, value.get_string());
        return;
    case json::kind::array: {
        out += '[';
        bool first = true;
        for (const json::value& element : value.get_array()) {
            if (!first) out += ',';
            first = false;
            append(out, element);
        }
        out += ']';
        return;
    }
    case json::kind::object: {
        out += '{';
        bool first = true;
        for (const json::key_value_pair& member : value.get_object()) {
            if (!first) out += ',';
            first = false;
            append_quoted(out, member.key());
            out += ':';
            append(out, member.value());
        }
        out += '}';
        return;
    }
    }
}

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

size_t skip_space(std::string_view text, size_t at) {
    while (at < text.size() && is_space(text[at])) ++at;
    return at;
}

/// Index behind the string whose opening quote is at `at`.
size_t skip_string(std::string_view text, size_t at) {
    for (++at; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\') ++at;
    }
    return std::min(at + 1, text.size());
}

/// Index behind the value that starts at `at`.
size_t skip_value(std::string_view text, size_t at) {
    if (at >= text.size()) return at;
    if (text[at] == '"') return skip_string(text, at);
    if (text[at] == '{' || text[at] == '[') {
        for (size_t depth = 0; at < text.size();) {
            const char c = text[at];
            if (c == '"') {
                at = skip_string(text, at);
                continue;
            }
            if (c == '{' || c == '[') ++depth;
            if (c == '}' || c == ']') --depth;
            ++at;
            if (depth == 0) break;
        }
        return at;
    }
    while (at < text.size() && !is_space(text[at]) && text[at] != ',' && text[at] != '}' && text[at] != ']') ++at;
    return at;
}

/// Key as it reads after unescaping.
std::string unquote(std::string_view quoted) {
    const auto value = parse_json(quoted);
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

} // namespace

std::string to_text(const json::value& value) {
    std::string out;
    append(out, value);
    return out;
}

std::string quote(std::string_view text) {
    std::string out;
    append_quoted(out, text);
    return out;
}

std::string_view member_text(std::string_view object_text, std::string_view key) {
    std::string_view found;
    size_t at = skip_space(object_text, 0);
    if (at >= object_text.size() || object_text[at] != '{') return found;
    for (++at;;) {
        at = skip_space(object_text, at);
        if (at >= object_text.size() || object_text[at] != '"') return found;
        const size_t key_end = skip_string(object_text, at);
        const std::string_view raw_key = object_text.substr(at, key_end - at);
        at = skip_space(object_text, skip_space(object_text, key_end) + 1); // behind the colon
        const size_t value_end = skip_value(object_text, at);
        const bool escaped = raw_key.find('\\') != std::string_view::npos;
        const bool same = escaped ? unquote(raw_key) == key : raw_key.substr(1, raw_key.size() - 2) == key;
        if (same) found = object_text.substr(at, value_end - at);
        at = skip_space(object_text, value_end);
        if (at >= object_text.size() || object_text[at] != ',') return found;
        ++at;
    }
}

std::vector<std::string_view> element_texts(std::string_view array_text) {
    std::vector<std::string_view> elements;
    size_t at = skip_space(array_text, 0);
    if (at >= array_text.size() || array_text[at] != '[') return elements;
    for (++at;;) {
        at = skip_space(array_text, at);
        if (at >= array_text.size() || array_text[at] == ']') return elements;
        const size_t end = skip_value(array_text, at);
        elements.push_back(array_text.substr(at, end - at));
        at = skip_space(array_text, end);
        if (at >= array_text.size() || array_text[at] != ',') return elements;
        ++at;
    }
}

std::string with_member(std::string_view object_text, std::string_view key, std::string_view value_text) {
    const std::string_view old = member_text(object_text, key);
    std::string out(object_text);
    if (!old.empty()) {
        out.replace(static_cast<size_t>(old.data() - object_text.data()), old.size(), value_text);
        return out;
    }
    const size_t brace = out.rfind('}');
    const bool is_empty = skip_space(out, out.find('{') + 1) == brace;
    out.insert(brace, std::format("{}{}:{}", is_empty ? "" : ",", quote(key), value_text));
    return out;
}

} // namespace vkinfer::server
