#include "tools/json_text.h"

#include "format/utf8.h"

#include <charconv>
#include <cmath>
#include <format>

namespace vkinfer::tools {

std::string json_string(std::string_view text) {
    std::string json = "\"";
    for (size_t i = 0; i < text.size();) {
        const char c = text[i];
        const size_t length = format::utf8_length_at(text, i);
        if (length == 0) {
            json += "\xEF\xBF\xBD";
            ++i;
            continue;
        }
        if (c == '"' || c == '\\') {
            json += '\\';
            json += c;
        } else if (c == '\n') {
            json += "\\n";
        } else if (static_cast<unsigned char>(c) < 0x20) {
            json += std::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
            json += text.substr(i, length);
        }
        i += length;
    }
    return json + '"';
}

std::string json_number(double value) {
    if (!std::isfinite(value)) return "0";
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    return std::string(text, end);
}

} // namespace vkinfer::tools
