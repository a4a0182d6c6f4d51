// Algorithms on text that filters and methods share.
#include "text/jinja/text_algorithms.h"

#include "text/jinja/formatting.h"
#include "text/jinja/unicode.h"

#include <cstring>

namespace vkinfer::text::jinja {

size_t find_bytes(std::string_view text, std::string_view needle, size_t from) {
    if (from > text.size()) return std::string_view::npos;
    if (needle.empty()) return from;
    const void* found = memmem(text.data() + from, text.size() - from, needle.data(), needle.size());
    const size_t at =
        found == nullptr ? text.size() : static_cast<size_t>(static_cast<const char*>(found) - text.data());
    charge_steps((at - from + needle.size()) / 16);
    return found == nullptr ? std::string_view::npos : at;
}

std::string replace_text(Interpreter& in, std::string_view text, std::string_view from, std::string_view to,
                         int64_t count) {
    in.check_text(text.size());
    std::string out;
    size_t at = 0;
    if (from.empty()) { // between all characters and at both ends
        in.check_text(text.size() + (count_chars(text) + 1) * to.size());
        while (count != 0) {
            out += to;
            --count;
            if (at >= text.size()) break;
            const size_t start = at;
            next_char(text, at);
            out += text.substr(start, at - start);
        }
        return out.append(text.substr(at));
    }
    while (count != 0) {
        const size_t found = find_bytes(text, from, at);
        if (found == std::string_view::npos) break;
        out += text.substr(at, found - at);
        out += to;
        at = found + from.size();
        --count;
        charge_steps(1 + to.size() / 64);
        in.check_size(out.size());
    }
    out += text.substr(at);
    in.check_size(out.size());
    return out;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
    std::vector<std::string_view> lines;
    size_t line_start = 0;
    for (size_t at = 0; at < text.size();) {
        const size_t start = at;
        const char32_t c = next_char(text, at);
        const bool ends_line =
            (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
        if (!ends_line) continue;
        if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
        lines.push_back(text.substr(line_start, (keep_ends ? at : start) - line_start));
        line_start = at;
    }
    if (line_start < text.size()) lines.push_back(text.substr(line_start));
    charge_steps(lines.size());
    return lines;
}

std::string pad(Interpreter& in, const Text& text, int64_t width, Align align, std::string_view fill) {
    if (width <= static_cast<int64_t>(text.n_chars)) return text.bytes;
    const size_t margin = static_cast<size_t>(width) - text.n_chars;
    if (margin > (size_t{1} << 40)) in.check_size(margin);
    in.check_text(text.bytes.size() + margin * fill.size());
    // Python's center gives the odd one to the left when the width is odd.
    const size_t left = align == Align::left    ? 0
                        : align == Align::right ? margin
                                                : margin / 2 + (margin & static_cast<size_t>(width) & 1);
    std::string out;
    for (size_t i = 0; i < left; ++i) out += fill;
    out += text.bytes;
    for (size_t i = left; i < margin; ++i) out += fill;
    return out;
}

Value escape_arguments(const Value& value) {
    if (value.is_string()) return value.is_markup() ? value : Value::markup(escape_html(value.as_string()));
    if (!value.is_tuple()) return value;
    std::vector<Value> items = value.as_list()->items;
    for (Value& item : items) {
        if (item.is_string()) item = escape_arguments(item);
    }
    return Value::tuple(std::move(items));
}

std::string escape_html(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '\'':
            out += "&#39;";
            break;
        case '"':
            out += "&#34;";
            break;
        default:
            out += c;
        }
    }
    return out;
}

} // namespace vkinfer::text::jinja
