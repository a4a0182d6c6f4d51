// str() and repr() as Python writes them.
#include "text/jinja/interpreter.h"
#include "text/jinja/number.h"
#include "text/jinja/objects.h"
#include "text/jinja/unicode.h"

namespace vkinfer::text::jinja {

void append_quoted(std::string& out, std::string_view text) {
    const bool has_single = text.find('\'') != std::string_view::npos;
    const bool has_double = text.find('"') != std::string_view::npos;
    const char quote = has_single && !has_double ? '"' : '\'';
    const auto hex = [&](char letter, char32_t c, int n_digits) {
        out += '\\';
        out += letter;
        for (int shift = 4 * (n_digits - 1); shift >= 0; shift -= 4) out += "0123456789abcdef"[(c >> shift) & 15];
    };
    out += quote;
    for (size_t at = 0; at < text.size();) {
        const char32_t c = next_char(text, at);
        if (c == static_cast<char32_t>(quote) || c == '\\') {
            out += '\\';
            out += static_cast<char>(c);
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\r') {
            out += "\\r";
        } else if (c == '\t') {
            out += "\\t";
        } else if (is_printable(c)) {
            append_char(out, c);
        } else if (c < 0x100) {
            hex('x', c, 2);
        } else if (c < 0x10000) {
            hex('u', c, 4);
        } else {
            hex('U', c, 8);
        }
    }
    out += quote;
}

std::string Interpreter::to_text(const Value& value) {
    if (value.is_string()) return value.as_string();
    if (value.is_undefined()) return {};
    return repr(value);
}

std::string Interpreter::repr(const Value& value) {
    std::string out;
    append_repr(out, value);
    return out;
}

void Interpreter::append_repr(std::string& out, const Value& value) {
    StackGuard::check();
    charge_steps(1);
    if (out.size() > options_.limits.output_bytes) check_size(options_.limits.live_bytes);
    switch (value.type()) {
    case Type::undefined:
        out += "Undefined";
        return;
    case Type::none:
        out += "None";
        return;
    case Type::boolean:
        out += value.as_bool() ? "True" : "False";
        return;
    case Type::integer:
    case Type::big_integer:
        out += integer_text(value);
        return;
    case Type::floating:
        out += float_repr(value.as_double());
        return;
    case Type::string:
        charge_steps(value.as_string().size() / 16);
        if (value.is_markup()) out += "Markup(";
        append_quoted(out, value.as_string());
        if (value.is_markup()) out += ")";
        return;
    case Type::list: {
        const List& list = *value.as_list();
        out += list.is_tuple ? '(' : '[';
        for (size_t i = 0; i < list.items.size(); ++i) {
            if (i != 0) out += ", ";
            append_repr(out, list.items[i]);
        }
        if (list.is_tuple && list.items.size() == 1) out += ',';
        out += list.is_tuple ? ')' : ']';
        return;
    }
    case Type::dict: {
        out += '{';
        bool is_first = true;
        for (const auto& [key, item] : value.as_dict()->entries()) {
            if (!is_first) out += ", ";
            is_first = false;
            append_repr(out, key);
            out += ": ";
            append_repr(out, item);
        }
        out += '}';
        return;
    }
    case Type::object:
        out += value.as_object()->repr(*this);
        return;
    }
}

} // namespace vkinfer::text::jinja
