// Filters that make text of text.
#include "text/jinja/builtin.h"
#include "text/jinja/formatting.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/text_algorithms.h"
#include "text/jinja/unicode.h"

#include <cctype>

namespace vkinfer::text::jinja {

namespace {

/// The filtered value as printing shows it: filters of text take any value.
std::string subject(BuiltinCall& call) {
    std::string text = call.in.to_text(call.self);
    call.in.check_text(text.size() * 3); // case mappings can grow it
    return text;
}

/// Text made of markup by a method of str is markup again.
Value like_subject(BuiltinCall& call, std::string text) {
    return call.self.is_markup() ? Value::markup(std::move(text)) : Value(std::move(text));
}

Value lower(BuiltinCall& call) {
    return like_subject(call, to_lower(subject(call)));
}
Value upper(BuiltinCall& call) {
    return like_subject(call, to_upper(subject(call)));
}
Value capitalize_filter(BuiltinCall& call) {
    return like_subject(call, capitalize(subject(call)));
}
Value string(BuiltinCall& call) {
    return call.self.is_string() ? call.self : Value(call.in.to_text(call.self));
}
Value safe(BuiltinCall& call) {
    return Value::markup(subject(call));
}
Value force_escape(BuiltinCall& call) {
    return Value::markup(escape_html(subject(call)));
}
Value escape(BuiltinCall& call) {
    return call.self.is_markup() ? call.self : force_escape(call);
}

/// Jinja's own title(): words begin after white space, hyphens and opening brackets.
Value title(BuiltinCall& call) {
    const std::u32string text = decode(subject(call));
    const auto splits = [](char32_t c) {
        return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || is_space(c);
    };
    std::string out;
    for (size_t i = 0; i < text.size();) {
        if (splits(text[i])) {
            append_char(out, text[i++]);
            continue;
        }
        size_t end = i + 1;
        while (end < text.size() && !splits(text[end])) ++end;
        out += to_upper(encode(text.substr(i, 1)));
        out += to_lower(encode(text.substr(i + 1, end - i - 1)));
        i = end;
    }
    return out;
}

Value trim(BuiltinCall& call) {
    const std::string text = subject(call);
    if (!call.has(0) || call.arg(0).is_none()) return like_subject(call, std::string(strip(text)));
    return like_subject(call, std::string(strip(text, call.text(0), true, true)));
}

Value replace(BuiltinCall& call) {
    return replace_text(call.in, subject(call), call.printed(0), call.printed(1), call.integer(2, -1));
}

Value center(BuiltinCall& call) {
    return like_subject(call, pad(call.in, Text(subject(call)), call.integer(0, 80), Align::center));
}

Value indent(BuiltinCall& call) {
    if (call.self.is_undefined()) throw Failure(call.self.as_undefined().message);
    if (!call.self.is_string()) throw Failure("indent expects a string, not " + std::string(call.self.type_name()));
    const std::string text = subject(call) + "\n"; // so that splitting keeps an empty last line
    const bool first = call.flag(1, false);
    const bool blank = call.flag(2, false);
    std::string margin;
    if (call.arg(0).is_string()) {
        margin = call.arg(0).as_string();
    } else {
        const int64_t width = call.integer(0, 4);
        if (width > 0) call.in.check_size(static_cast<size_t>(width));
        margin.assign(width > 0 ? static_cast<size_t>(width) : 0, ' ');
    }
    const auto lines = split_lines(text);
    std::string out = first ? margin : "";
    for (size_t i = 0; i < lines.size(); ++i) {
        if (i != 0) {
            out += '\n';
            if (blank || !lines[i].empty()) out += margin;
            call.in.check_size(out.size());
        }
        out += lines[i];
    }
    return like_subject(call, std::move(out));
}

Value truncate_filter(BuiltinCall& call) {
    if (!call.self.is_string()) {
        const int64_t n = *call.in.length(call.self).as_int();
        if (n > call.integer(0, 255) + call.integer(3, 5)) throw Failure("truncate expects a string");
        return call.self;
    }
    const Text text(subject(call));
    const int64_t length = call.integer(0, 255);
    const bool kill_words = call.flag(1, false);
    const Text end(call.has(2) ? call.printed(2) : "...");
    const int64_t leeway = call.integer(3, 5);
    const auto n = static_cast<int64_t>(text.n_chars);
    if (length < static_cast<int64_t>(end.n_chars))
        throw Failure("truncate: expected length >= " + std::to_string(end.n_chars));
    if (n <= length || n - length <= leeway) return text.bytes;
    std::string out = substring(text, 0, static_cast<size_t>(length) - end.n_chars);
    if (!kill_words) out = out.substr(0, out.rfind(' '));
    return out + end.bytes;
}

Value wordcount(BuiltinCall& call) {
    const std::string text = subject(call);
    int64_t n = 0;
    bool inside = false;
    for (size_t at = 0; at < text.size();) {
        const char32_t c = next_char(text, at);
        const bool is_word = c == '_' || is_alphabetic(c) || is_decimal(c);
        n += is_word && !inside;
        inside = is_word;
    }
    return n;
}

std::string percent_encode(std::string_view text, bool for_query) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = byte < 0x80 && (std::isalnum(byte) || c == '_' || c == '.' || c == '-' || c == '~');
        if (plain || (c == '/' && !for_query)) {
            out += c;
        } else if (c == ' ' && for_query) {
            out += '+';
        } else {
            out += '%';
            out += "0123456789ABCDEF"[byte >> 4];
            out += "0123456789ABCDEF"[byte & 15];
        }
    }
    return out;
}

Value urlencode(BuiltinCall& call) {
    const bool is_iterable = call.self.is_dict() || call.self.is_sequence_literal() || call.self.is_undefined() ||
                             (call.self.type() == Type::object && call.self.as_object()->is_iterable());
    if (!is_iterable) return percent_encode(subject(call), false);
    std::string out;
    const auto add = [&](const Value& key, const Value& value) {
        if (!out.empty()) out += '&';
        out += percent_encode(call.in.to_text(key), true) + "=" + percent_encode(call.in.to_text(value), true);
        call.in.check_size(out.size());
    };
    if (call.self.is_dict()) {
        for (const auto& [key, value] : call.self.as_dict()->entries()) add(key, value);
        return out;
    }
    for (const Value& pair : call.in.iterate(call.self)) {
        const std::vector<Value> parts = call.in.iterate(pair);
        if (parts.size() != 2) throw Failure("urlencode expects pairs");
        add(parts[0], parts[1]);
    }
    return out;
}

/// Removes <tags> and <!-- comments -->, joins white space, and resolves the entities that escape() makes.
Value striptags(BuiltinCall& call) {
    const std::string text = subject(call);
    std::string plain;
    for (size_t at = 0; at < text.size();) {
        if (text[at] == '<') {
            const bool is_comment = text.compare(at, 4, "<!--") == 0;
            const size_t close = is_comment ? find_bytes(text, "-->", at) : text.find('>', at);
            if (close != std::string::npos) {
                at = close + (is_comment ? 3 : 1);
                continue;
            }
            plain += text.substr(at);
            break;
        }
        plain += text[at++];
    }
    std::string joined;
    std::string_view rest = plain;
    while (!(rest = strip(rest, true, false)).empty()) {
        size_t end = 0;
        for (size_t at = 0; at < rest.size();) {
            if (is_space(next_char(rest, at))) break;
            end = at;
        }
        if (!joined.empty()) joined += ' ';
        joined += rest.substr(0, end);
        rest.remove_prefix(end);
    }
    constexpr std::pair<const char*, const char*> kEntities[] = {
        {"&lt;", "<"},    {"&gt;", ">"},          {"&#39;", "'"}, {"&#34;", "\""},
        {"&quot;", "\""}, {"&nbsp;", "\xC2\xA0"}, {"&amp;", "&"}};
    for (const auto& [entity, character] : kEntities) joined = replace_text(call.in, joined, entity, character, -1);
    return joined;
}

Value format(BuiltinCall& call) {
    if (!call.rest().empty() && !call.named().empty()) {
        throw Failure("can't handle positional and keyword arguments at the same time");
    }
    if (call.named().empty()) return call.in.binary("%", string(call), Value::tuple(call.rest()));
    auto dict = std::make_shared<Dict>();
    for (auto& [name, value] : call.named()) dict->set(name, std::move(value));
    return percent_format(call.in, subject(call), dict);
}

constexpr Builtin kFilters[] = {
    {.name = "lower", .run = lower},
    {.name = "upper", .run = upper},
    {.name = "capitalize", .run = capitalize_filter},
    {.name = "title", .run = title},
    {.name = "string", .run = string},
    {.name = "safe", .run = safe},
    {.name = "escape", .run = escape},
    {.name = "e", .run = escape},
    {.name = "forceescape", .run = force_escape},
    {.name = "trim", .run = trim, .parameters = {"chars"}},
    {.name = "replace", .run = replace, .parameters = {"old", "new", "count"}, .n_required = 2},
    {.name = "center", .run = center, .parameters = {"width"}},
    {.name = "indent", .run = indent, .parameters = {"width", "first", "blank"}},
    {.name = "truncate", .run = truncate_filter, .parameters = {"length", "killwords", "end", "leeway"}},
    {.name = "wordcount", .run = wordcount},
    {.name = "urlencode", .run = urlencode},
    {.name = "striptags", .run = striptags},
    {.name = "format", .run = format, .takes_more = true},
};

} // namespace

std::span<const Builtin> text_filters() {
    return kFilters;
}

} // namespace vkinfer::text::jinja
