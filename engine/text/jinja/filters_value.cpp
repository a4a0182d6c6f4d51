// Filters on single values: numbers, defaults, JSON, dicts.
#include "text/jinja/builtin.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/json.h"
#include "text/jinja/number.h"
#include "text/jinja/objects.h"
#include "text/jinja/text_algorithms.h"
#include "text/jinja/unicode.h"

#include <algorithm>
#include <cmath>

namespace vkinfer::text::jinja {

namespace {

Value default_value(BuiltinCall& call) {
    const bool replace = call.self.is_undefined() || (call.flag(1, false) && !call.self.truthy());
    return replace ? call.arg_or(0, "") : call.self;
}

Value length(BuiltinCall& call) {
    return call.in.length(call.self);
}

/// int(), float(): what cannot be converted gives the default, but what is undefined is an error.
void refuse_undefined(const Value& value) {
    if (value.is_undefined()) throw Failure(value.as_undefined().message);
}

Value to_int(BuiltinCall& call) {
    refuse_undefined(call.self);
    const Value fallback = call.arg_or(0, 0);
    const auto from_float = [&](double number) { return std::isfinite(number) ? truncate(number) : fallback; };
    if (call.self.is_string()) {
        const auto base = static_cast<int>(std::clamp<int64_t>(call.integer(1, 10), -1, 100));
        if (const auto number = parse_integer(call.self.as_string(), base)) return *number;
        const auto number = parse_float(call.self.as_string());
        return number ? from_float(*number) : fallback;
    }
    if (call.self.is_bool()) return *call.self.as_int();
    if (call.self.is_integer()) return call.self;
    return call.self.type() == Type::floating ? from_float(call.self.as_double()) : fallback;
}

Value to_float(BuiltinCall& call) {
    refuse_undefined(call.self);
    const Value fallback = call.arg_or(0, 0.0);
    if (call.self.is_number()) return to_double(call.self);
    if (!call.self.is_string()) return fallback;
    const auto number = parse_float(call.self.as_string());
    return number ? Value(*number) : fallback;
}

Value abs_filter(BuiltinCall& call) {
    refuse_undefined(call.self);
    if (call.self.type() == Type::floating) return std::abs(call.self.as_double());
    if (!call.self.is_integer())
        throw Failure("bad operand type for abs(): '" + std::string(call.self.type_name()) + "'");
    if (compare_numbers(call.self, Value(0)) < 0) return negate(call.self);
    return call.self.is_bool() ? Value(*call.self.as_int()) : call.self;
}

Value round_filter(BuiltinCall& call) {
    refuse_undefined(call.self);
    const int64_t precision = call.integer(0, 0);
    const std::string method = call.has(1) ? call.printed(1) : "common";
    if (method != "common" && method != "ceil" && method != "floor") {
        throw Failure("method must be common, ceil or floor");
    }
    if (!call.self.is_number()) {
        throw Failure("type " + std::string(call.self.type_name()) + " doesn't define __round__ method");
    }
    if (method == "common") {
        if (call.self.is_integer() && precision >= 0)
            return call.self.is_bool() ? Value(*call.self.as_int()) : call.self;
        const double rounded = round_half_even(to_double(call.self), precision);
        return call.self.is_integer() ? truncate(rounded) : Value(rounded);
    }
    const double scale = std::pow(10.0, static_cast<double>(precision));
    const double scaled = to_double(call.self) * scale;
    return (method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale;
}

Value tojson(BuiltinCall& call) {
    JsonStyle style;
    style.ensure_ascii = call.flag(0, false);
    if (call.has(1) && !call.arg(1).is_none()) {
        if (call.arg(1).is_string()) {
            style.indent = call.arg(1).as_string();
        } else {
            const int64_t width = call.integer(1, 0);
            if (width > 0) call.in.check_size(static_cast<size_t>(width));
            style.indent = std::string(width > 0 ? static_cast<size_t>(width) : 0, ' ');
        }
        style.item_separator = ",";
    }
    if (call.has(2) && !call.arg(2).is_none()) {
        const std::vector<Value> separators = call.in.iterate(call.arg(2));
        if (separators.size() != 2 || !separators[0].is_string() || !separators[1].is_string()) {
            throw Failure("separators must be two strings");
        }
        style.item_separator = separators[0].as_string();
        style.key_separator = separators[1].as_string();
    }
    style.sort_keys = call.flag(3, false);
    return write_json(call.in, call.self, style);
}

Value from_json(BuiltinCall& call) {
    if (!call.self.is_string()) throw Failure("from_json expects a string, not " + std::string(call.self.type_name()));
    return parse_json(call.self.as_string());
}

Value items(BuiltinCall& call) {
    if (call.self.is_undefined())
        return std::make_shared<LazySequence>([](Interpreter&) { return std::vector<Value>(); });
    return std::make_shared<LazySequence>([value = call.self](Interpreter& in) {
        if (!value.is_dict()) throw Failure("Can only get item pairs from a mapping.");
        return DictView(value.as_dict(), DictView::What::items).iterate(in);
    });
}

Value ignore_case(const Value& value, bool case_sensitive) {
    return value.is_string() && !case_sensitive ? Value(to_lower(value.as_string())) : value;
}

Value dictsort(BuiltinCall& call) {
    const bool case_sensitive = call.flag(0, false);
    const std::string by = call.has(1) ? call.printed(1) : "key";
    const bool reverse = call.flag(2, false);
    if (by != "key" && by != "value") throw Failure("You can only sort by either \"key\" or \"value\"");
    if (call.self.is_undefined()) throw Failure(call.self.as_undefined().message);
    if (!call.self.is_dict())
        throw Failure("'" + std::string(call.self.type_name()) + "' object has no attribute 'items'");
    struct Row {
        Value order, pair;
    };
    std::vector<Row> rows;
    for (const auto& [key, value] : call.self.as_dict()->entries()) {
        charge_steps(16);
        rows.push_back({ignore_case(by == "key" ? key : value, case_sensitive), Value::tuple({key, value})});
    }
    std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
        const int order = compare(a.order, b.order);
        return reverse ? order > 0 : order < 0;
    });
    std::vector<Value> sorted;
    for (Row& row : rows) sorted.push_back(std::move(row.pair));
    return Value::list(std::move(sorted));
}

/// repr() with the keys of dicts in order. Python breaks lines beyond 80 columns, which is not done here.
void append_sorted_repr(Interpreter& in, std::string& out, const Value& value) {
    StackGuard::check();
    in.check_size(out.size());
    if (value.is_dict()) {
        std::vector<std::pair<Value, Value>> entries = value.as_dict()->entries();
        std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
            const bool comparable = a.first.type() == b.first.type();
            return comparable ? compare(a.first, b.first) < 0 : a.first.type_name() < b.first.type_name();
        });
        out += '{';
        for (size_t i = 0; i < entries.size(); ++i) {
            if (i != 0) out += ", ";
            out += in.repr(entries[i].first) + ": ";
            append_sorted_repr(in, out, entries[i].second);
        }
        out += '}';
    } else if (value.is_list()) {
        out += '[';
        for (size_t i = 0; i < value.as_list()->items.size(); ++i) {
            if (i != 0) out += ", ";
            append_sorted_repr(in, out, value.as_list()->items[i]);
        }
        out += ']';
    } else {
        out += in.repr(value);
    }
}

Value pprint(BuiltinCall& call) {
    std::string out;
    append_sorted_repr(call.in, out, call.self);
    return out;
}

Value xmlattr(BuiltinCall& call) {
    if (!call.self.is_dict()) throw Failure("xmlattr expects a mapping");
    std::string out;
    for (const auto& [key, value] : call.self.as_dict()->entries()) {
        if (!key.is_string()) throw Failure("attribute names are strings, not " + std::string(key.type_name()));
        if (value.is_none() || value.is_undefined()) continue;
        const std::string name = call.in.to_text(key);
        if (name.find_first_of(" \t\n\r\f\v/>=") != std::string::npos)
            throw Failure("Invalid character in attribute name: " + name);
        if (!out.empty()) out += ' ';
        out += escape_html(name) + "=\"" + escape_html(call.in.to_text(value)) + "\"";
        call.in.check_size(out.size());
    }
    return call.flag(0, true) && !out.empty() ? " " + out : out;
}

Value attr(BuiltinCall& call) {
    const std::string name = call.printed(0);
    if (call.self.is_dict() && find_method(call.self, name) == nullptr) { // keys are not attributes
        return Value::undefined("'dict object' has no attribute '" + name + "'");
    }
    return call.in.get_attribute(call.self, name);
}

Value filesizeformat(BuiltinCall& call) {
    const auto number =
        call.self.is_string() ? parse_float(call.self.as_string()) : std::optional(to_double(call.self));
    if (!number) throw Failure("could not convert string to float: " + call.in.repr(call.self));
    const double bytes = *number;
    const bool binary = call.flag(0, false);
    const double base = binary ? 1024 : 1000;
    constexpr const char* kDecimal[] = {"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"};
    constexpr const char* kBinary[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"};
    if (bytes == 1) return "1 Byte";
    if (bytes < base) return integer_text(truncate(bytes)) + " Bytes";
    double unit = base;
    size_t i = 0;
    while (i < 7 && bytes >= unit * base) {
        unit *= base;
        ++i;
    }
    char text[400];
    std::snprintf(text, sizeof(text), "%.1f %s", bytes / unit, binary ? kBinary[i] : kDecimal[i]);
    return text;
}

constexpr Builtin kFilters[] = {
    {.name = "default", .run = default_value, .parameters = {"default_value", "boolean"}},
    {.name = "d", .run = default_value, .parameters = {"default_value", "boolean"}},
    {.name = "length", .run = length},
    {.name = "count", .run = length},
    {.name = "int", .run = to_int, .parameters = {"default", "base"}},
    {.name = "float", .run = to_float, .parameters = {"default"}},
    {.name = "abs", .run = abs_filter},
    {.name = "round", .run = round_filter, .parameters = {"precision", "method"}},
    {.name = "tojson", .run = tojson, .parameters = {"ensure_ascii", "indent", "separators", "sort_keys"}},
    {.name = "from_json", .run = from_json, .lenient_only = true},
    {.name = "items", .run = items},
    {.name = "dictsort", .run = dictsort, .parameters = {"case_sensitive", "by", "reverse"}},
    {.name = "pprint", .run = pprint},
    {.name = "xmlattr", .run = xmlattr, .parameters = {"autospace"}},
    {.name = "attr", .run = attr, .parameters = {"name"}, .n_required = 1},
    {.name = "filesizeformat", .run = filesizeformat, .parameters = {"binary"}},
};

} // namespace

std::span<const Builtin> value_filters() {
    return kFilters;
}

} // namespace vkinfer::text::jinja
