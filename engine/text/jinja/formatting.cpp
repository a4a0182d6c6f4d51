// Python's two ways of formatting: `%` and str.format. Both end in the same layout of one value.
#include "text/jinja/formatting.h"

#include "text/jinja/number.h"
#include "text/jinja/text_algorithms.h"
#include "text/jinja/unicode.h"

#include <cmath>
#include <cstdio>
#include <optional>

namespace vkinfer::text::jinja {

namespace {

constexpr int64_t kMaxPrecision = 1000;

/// [[fill]align][sign][#][0][width][,][.precision][type], the format of one value.
struct Layout {
    std::string fill = " ";
    char align = 0; // < > ^ =, 0: as the type has it
    char sign = '-';
    bool alternate = false;
    char group = 0; // ',' or '_'
    int64_t width = 0;
    std::optional<int64_t> precision;
    char type = 0;
};

int64_t read_number(std::string_view text, size_t& at) {
    int64_t number = 0;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
        number = number * 10 + (text[at++] - '0');
        if (number > (int64_t{1} << 30)) throw Failure("a width is too large", FailureKind::limit);
    }
    return number;
}

std::string grouped(const std::string& digits, char separator) {
    const size_t whole = digits.find_first_not_of("0123456789");
    const size_t n = whole == std::string::npos ? digits.size() : whole;
    std::string out;
    for (size_t i = 0; i < n; ++i) {
        if (i != 0 && (n - i) % 3 == 0) out += separator;
        out += digits[i];
    }
    return out + digits.substr(n);
}

/// Digits of a float without its sign.
std::string float_digits(double number, const Layout& layout) {
    const double size = std::abs(number);
    const bool upper = layout.type >= 'A' && layout.type <= 'Z';
    if (std::isnan(size)) return upper ? "NAN" : "nan";
    if (std::isinf(size)) return upper ? "INF" : "inf";
    if (layout.type == 0 && !layout.precision) return float_repr(size);
    const int precision = static_cast<int>(std::min(layout.precision.value_or(6), kMaxPrecision));
    std::string format = std::string("%") + (layout.alternate ? "#" : "") + ".*";
    format += layout.type == '%' ? 'f' : layout.type == 0 || layout.type == 'n' ? 'g' : layout.type;
    const double shown = layout.type == '%' ? size * 100 : size;
    std::string text(static_cast<size_t>(std::snprintf(nullptr, 0, format.c_str(), precision, shown)), '\0');
    std::snprintf(text.data(), text.size() + 1, format.c_str(), precision, shown);
    if (layout.type == '%') text += '%';
    if (layout.type == 0 && text.find_first_of(".en") == std::string::npos) text += ".0";
    return text;
}

/// Sign and digits with the padding between or around them.
std::string lay_out_number(Interpreter& in, bool negative, const std::string& prefix, const std::string& digits,
                           const Layout& layout) {
    std::string head = negative ? "-" : layout.sign == '-' ? "" : std::string(1, layout.sign);
    head += prefix;
    const std::string body = layout.group != 0 ? grouped(digits, layout.group) : digits;
    const int64_t missing = layout.width - static_cast<int64_t>(head.size() + body.size());
    if (missing > 0 && layout.align == '=') {
        in.check_size(static_cast<size_t>(layout.width));
        std::string fill;
        for (int64_t i = 0; i < missing; ++i) fill += layout.fill;
        return head + fill + body;
    }
    const Align align = layout.align == '<' ? Align::left : layout.align == '^' ? Align::center : Align::right;
    return pad(in, Text(head + body), layout.width, align, layout.fill);
}

std::string lay_out(Interpreter& in, const Value& value, const Layout& layout) {
    const std::string_view letters = "bcdoxXneEfFgG%";
    if (value.is_undefined() && letters.find(layout.type) != std::string_view::npos && layout.type != 0) {
        throw Failure(value.as_undefined().message);
    }
    const bool wants_float =
        layout.type != 0 && std::string_view("eEfFgG%").find(layout.type) != std::string_view::npos;
    if (value.is_number() &&
        (wants_float || (value.type() == Type::floating && (layout.type == 0 || layout.type == 'n')))) {
        const double number = to_double(value);
        return lay_out_number(in, std::signbit(number) && !std::isnan(number), "", float_digits(number, layout),
                              layout);
    }
    if (value.is_integer() && (!value.is_bool() || layout.type != 0) && layout.type != 's') {
        if (layout.type == 'c') {
            std::string character;
            append_char(character, static_cast<char32_t>(value.as_int().value_or(0xFFFD)));
            return pad(in, Text(character), layout.width, Align::left, layout.fill);
        }
        const int base = layout.type == 'b'                         ? 2
                         : layout.type == 'o'                       ? 8
                         : layout.type == 'x' || layout.type == 'X' ? 16
                                                                    : 10;
        std::string digits = integer_text(value, base);
        const bool negative = digits[0] == '-';
        if (negative) digits.erase(0, 1);
        std::string prefix;
        if (layout.alternate && base != 10) prefix = std::string("0") + layout.type;
        if (layout.type == 'X') digits = to_upper(digits);
        return lay_out_number(in, negative, prefix, digits, layout);
    }
    if (layout.type != 0 && layout.type != 's') {
        throw Failure(std::string("Unknown format code '") + layout.type + "' for object of type '" +
                      std::string(value.type_name()) + "'");
    }
    Text text(in.to_text(value));
    std::string shown = text.bytes;
    if (layout.precision) shown = substring(text, 0, static_cast<size_t>(*layout.precision));
    const Align align = layout.align == '>' ? Align::right : layout.align == '^' ? Align::center : Align::left;
    return pad(in, Text(shown), layout.width, align, layout.fill);
}

Layout parse_layout(std::string_view spec) {
    Layout layout;
    size_t at = 0;
    const auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
    if (!spec.empty()) {
        size_t behind = 0;
        next_char(spec, behind);
        if (behind < spec.size() && is_align(spec[behind])) {
            layout.fill = spec.substr(0, behind);
            layout.align = spec[behind];
            at = behind + 1;
        } else if (is_align(spec[0])) {
            layout.align = spec[0];
            at = 1;
        }
    }
    const auto skip = [&](char c) { return at < spec.size() && spec[at] == c ? (++at, true) : false; };
    if (at < spec.size() && (spec[at] == '+' || spec[at] == '-' || spec[at] == ' ')) layout.sign = spec[at++];
    skip('z');
    layout.alternate = skip('#');
    if (skip('0') && layout.align == 0) {
        layout.fill = "0";
        layout.align = '=';
    }
    layout.width = read_number(spec, at);
    if (at < spec.size() && (spec[at] == ',' || spec[at] == '_')) layout.group = spec[at++];
    if (skip('.')) {
        if (at >= spec.size() || spec[at] < '0' || spec[at] > '9') throw Failure("Format specifier missing precision");
        layout.precision = read_number(spec, at);
    }
    if (at < spec.size()) layout.type = spec[at++];
    if (at != spec.size()) throw Failure("Invalid format specifier");
    if (layout.type != 0 && std::string_view("sbcdoxXneEfFgG%").find(layout.type) == std::string_view::npos) {
        throw Failure(std::string("Unknown format code '") + layout.type + "'");
    }
    return layout;
}

class BraceFormatter {
public:
    BraceFormatter(Interpreter& in, const Arguments& arguments) : in_(in), arguments_(arguments) {}

    std::string format(std::string_view text, int depth = 2) {
        if (depth < 0) throw Failure("Max string recursion exceeded");
        std::string out;
        for (size_t at = 0; at < text.size(); ++at) {
            const char c = text[at];
            const bool doubled = at + 1 < text.size() && text[at + 1] == c;
            if ((c == '{' || c == '}') && doubled) {
                out += c;
                ++at;
            } else if (c == '}') {
                throw Failure("Single '}' encountered in format string");
            } else if (c == '{') {
                const size_t close = closing(text, at);
                out += field(text.substr(at + 1, close - at - 1), depth);
                in_.check_size(out.size());
                at = close;
            } else {
                out += c;
            }
        }
        return out;
    }

private:
    static size_t closing(std::string_view text, size_t open) {
        int level = 0;
        for (size_t i = open; i < text.size(); ++i) {
            if (text[i] == '{') ++level;
            if (text[i] == '}' && --level == 0) return i;
        }
        throw Failure("expected '}' before end of string");
    }

    std::string field(std::string_view text, int depth) {
        const size_t colon = text.find(':');
        std::string_view name = text.substr(0, colon);
        const std::string_view spec = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
        char conversion = 0;
        if (const size_t mark = name.find('!'); mark != std::string_view::npos) {
            if (mark + 2 != name.size()) throw Failure("expected ':' after conversion specifier");
            conversion = name[mark + 1];
            name = name.substr(0, mark);
        }
        Value value = find(name);
        if (conversion == 'r' || conversion == 'a')
            value = in_.repr(value);
        else if (conversion == 's')
            value = in_.to_text(value);
        else if (conversion != 0)
            throw Failure("Unknown conversion specifier");
        return lay_out(in_, value, parse_layout(format(spec, depth - 1)));
    }

    Value find(std::string_view name) {
        const size_t end = std::min(name.find_first_of(".["), name.size());
        Value value = first(name.substr(0, end));
        for (size_t at = end; at < name.size();) {
            if (name[at] == '.') {
                const size_t stop = std::min(name.find_first_of(".[", at + 1), name.size());
                value = in_.get_attribute(value, name.substr(at + 1, stop - at - 1));
                at = stop;
            } else {
                const size_t stop = name.find(']', at);
                if (stop == std::string_view::npos) throw Failure("Missing ']' in format string");
                const std::string_view key = name.substr(at + 1, stop - at - 1);
                const auto index = parse_int64(key);
                value = in_.get_item(value, index ? Value(*index) : Value(key));
                at = stop + 1;
            }
        }
        return value;
    }

    Value first(std::string_view name) {
        if (name.empty() || name.find_first_not_of("0123456789") == std::string_view::npos) {
            const size_t index = name.empty() ? next_++ : static_cast<size_t>(parse_int64(name).value_or(INT64_MAX));
            if (index >= arguments_.positional.size()) {
                throw Failure("Replacement index " + std::to_string(index) + " out of range for positional args tuple");
            }
            return arguments_.positional[index];
        }
        for (const auto& [key, value] : arguments_.keyword) {
            if (key == name) return value;
        }
        throw Failure("KeyError: '" + std::string(name) + "'");
    }

    Interpreter& in_;
    const Arguments& arguments_;
    size_t next_ = 0;
};

} // namespace

std::string percent_format(Interpreter& in, std::string_view format, const Value& value) {
    std::string out;
    size_t next = 0;
    bool used_mapping = false;
    const auto take = [&]() -> Value {
        if (value.is_tuple()) {
            if (next >= value.as_list()->items.size()) throw Failure("not enough arguments for format string");
            return value.as_list()->items[next++];
        }
        if (next++ > 0) throw Failure("not enough arguments for format string");
        return value;
    };
    for (size_t at = 0; at < format.size(); ++at) {
        if (format[at] != '%') {
            out += format[at];
            continue;
        }
        if (++at >= format.size()) throw Failure("incomplete format");
        Layout layout;
        std::optional<Value> named;
        if (format[at] == '(') {
            const size_t close = format.find(')', at);
            if (close == std::string_view::npos) throw Failure("incomplete format key");
            if (!value.is_dict()) throw Failure("format requires a mapping");
            const Value* found = value.as_dict()->find_name(format.substr(at + 1, close - at - 1));
            if (found == nullptr)
                throw Failure("KeyError: '" + std::string(format.substr(at + 1, close - at - 1)) + "'");
            named = *found;
            used_mapping = true;
            at = close + 1;
        }
        bool left = false, zero = false;
        for (; at < format.size(); ++at) {
            const char c = format[at];
            if (c == '-')
                left = true;
            else if (c == '0')
                zero = true;
            else if (c == '+')
                layout.sign = '+';
            else if (c == ' ')
                layout.sign = layout.sign == '+' ? '+' : ' ';
            else if (c == '#')
                layout.alternate = true;
            else
                break;
        }
        const auto number = [&]() -> int64_t {
            if (at >= format.size() || format[at] != '*') return read_number(format, at);
            ++at;
            const auto star = take().as_int();
            if (!star) throw Failure("* wants int");
            if (*star > (int64_t{1} << 30)) throw Failure("a width is too large", FailureKind::limit);
            if (*star < 0) left = true;
            return std::abs(std::max(*star, -(int64_t{1} << 30)));
        };
        layout.width = number();
        if (at < format.size() && format[at] == '.') {
            ++at;
            layout.precision = number();
        }
        while (at < format.size() && (format[at] == 'l' || format[at] == 'h' || format[at] == 'L')) ++at;
        if (at >= format.size()) throw Failure("incomplete format");
        const char type = format[at];
        if (type == '%') {
            out += '%';
            continue;
        }
        Value item = named ? *named : take();
        const bool is_numeric = std::string_view("diuoxXeEfFgG").find(type) != std::string_view::npos;
        if (is_numeric) {
            if (item.is_undefined()) throw Failure(item.as_undefined().message);
            if (!item.is_number()) {
                throw Failure(std::string("%") + type + " format: a real number is required, not " +
                              std::string(item.type_name()));
            }
            const bool is_integer = std::string_view("diuoxX").find(type) != std::string_view::npos;
            if (is_integer && item.type() == Type::floating) {
                if (type == 'o' || type == 'x' || type == 'X') {
                    throw Failure(std::string("%") + type + " format: an integer is required, not float");
                }
                item = truncate(item.as_double());
            }
            layout.type = type == 'i' || type == 'u' ? 'd' : type;
            if (is_integer) layout.precision.reset();
            layout.align = left ? '<' : zero ? '=' : '>';
            if (zero && !left) layout.fill = "0";
        } else if (type == 's' || type == 'r' || type == 'a' || type == 'c') {
            if (type == 'c' && item.is_integer()) {
                std::string character;
                append_char(character, static_cast<char32_t>(item.as_int().value_or(0xFFFD)));
                item = character;
            } else {
                item = type == 's' || type == 'c' ? in.to_text(item) : in.repr(item);
            }
            layout.align = left ? '<' : '>';
        } else {
            throw Failure(std::string("unsupported format character '") + type + "'");
        }
        out += lay_out(in, item, layout);
        in.check_size(out.size());
    }
    // Python lets arguments go unused when the value could be a mapping, which lists and undefined values pass for.
    const bool is_mapping = value.is_dict() || value.is_list() || value.is_undefined() ||
                            (value.type() == Type::object && value.as_object()->is_sequence());
    const bool all_used =
        value.is_tuple() ? next >= value.as_list()->items.size() : next > 0 || used_mapping || is_mapping;
    if (!all_used) throw Failure("not all arguments converted during string formatting");
    return out;
}

std::string brace_format(Interpreter& in, std::string_view format, const Arguments& arguments) {
    return BraceFormatter(in, arguments).format(format);
}

} // namespace vkinfer::text::jinja
