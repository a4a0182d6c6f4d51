// How `x.name`, `x[key]` and slices find things: in Jinja's order, with the sandbox's refusals.
#include "text/jinja/builtin.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/number.h"
#include "text/jinja/objects.h"
#include "text/jinja/unicode.h"

#include <algorithm>

namespace vkinfer::text::jinja {

namespace {

/// Attributes that every Python object has. The sandbox hands out an undefined value for them.
constexpr std::string_view kPythonInternals[] = {
    "__class__",   "__delattr__", "__dir__",           "__doc__",         "__eq__",
    "__format__",  "__ge__",      "__getattribute__",  "__getstate__",    "__gt__",
    "__hash__",    "__init__",    "__init_subclass__", "__le__",          "__lt__",
    "__ne__",      "__new__",     "__reduce__",        "__reduce_ex__",   "__repr__",
    "__setattr__", "__sizeof__",  "__str__",           "__subclasshook__"};

bool is_python_internal(std::string_view name) {
    return name.starts_with("__") &&
           std::find(std::begin(kPythonInternals), std::end(kPythonInternals), name) != std::end(kPythonInternals);
}

/// How Jinja names an object in its messages.
std::string type_in_message(const Value& value) {
    if (value.is_none()) return "None";
    return std::string(value.type_name()) + " object";
}

Value missing_attribute(const Value& object, std::string_view name) {
    return Value::undefined("'" + type_in_message(object) + "' has no attribute '" + std::string(name) + "'");
}

Value unsafe(const Value& object, std::string_view name) {
    return Value::undefined("access to attribute '" + std::string(name) + "' of '" + std::string(object.type_name()) +
                            "' object is unsafe.");
}

/// A method or property, an undefined value for what the sandbox refuses, nothing when there is no such attribute.
std::optional<Value> python_attribute(Interpreter& in, const Value& object, std::string_view name) {
    if (object.type() == Type::object) {
        if (auto value = object.as_object()->attribute(in, name)) return value;
    } else if (const Builtin* method = find_method(object, name)) {
        if (method->mutates && !in.options().lenient) return unsafe(object, name);
        return std::make_shared<BuiltinFunction>(*method, object, true);
    }
    if (object.type() == Type::list && object.as_list()->field_names != nullptr) {
        const char* const* names = object.as_list()->field_names;
        for (size_t i = 0; names[i] != nullptr; ++i) {
            if (name == names[i]) return object.as_list()->items[i];
        }
    }
    if (is_python_internal(name)) return unsafe(object, name);
    return std::nullopt;
}

/// obj[key]; nothing where Python raises TypeError or LookupError.
std::optional<Value> python_item(Interpreter& in, const Value& object, const Value& key) {
    switch (object.type()) {
    case Type::dict: {
        if (key.type() == Type::dict || key.is_list()) return std::nullopt; // not hashable
        const Value* value =
            key.is_string() ? object.as_dict()->find_name(key.as_string()) : object.as_dict()->find(key);
        return value != nullptr ? std::optional(*value) : std::nullopt;
    }
    case Type::list: {
        auto index = key.as_int();
        if (!index) return std::nullopt;
        const auto& items = object.as_list()->items;
        if (*index < 0) *index += static_cast<int64_t>(items.size());
        if (*index < 0 || *index >= static_cast<int64_t>(items.size())) return std::nullopt;
        return items[static_cast<size_t>(*index)];
    }
    case Type::string: {
        auto index = key.as_int();
        if (!index) return std::nullopt;
        const Text& text = object.as_text();
        if (*index < 0) *index += static_cast<int64_t>(text.n_chars);
        if (*index < 0 || *index >= static_cast<int64_t>(text.n_chars)) return std::nullopt;
        std::string character = substring(text, static_cast<size_t>(*index), static_cast<size_t>(*index) + 1);
        return text.is_markup ? Value::markup(std::move(character)) : Value(std::move(character));
    }
    case Type::object:
        return object.as_object()->item(in, key);
    default:
        return std::nullopt;
    }
}

struct SliceBounds {
    int64_t start, step, n;
};

int64_t slice_index(const Value& value, int64_t fallback) {
    if (value.is_none()) return fallback;
    if (const auto index = value.as_int()) return *index;
    if (value.is_undefined())
        throw Failure("slice indices must be integers or None (" + value.as_undefined().message + ")");
    throw Failure("slice indices must be integers or None");
}

/// Python's slice.indices: never out of range.
SliceBounds slice_bounds(const Value& start, const Value& stop, const Value& step, int64_t size) {
    const int64_t by = slice_index(step, 1);
    if (by == 0) throw Failure("slice step cannot be zero");
    const int64_t lowest = by < 0 ? -1 : 0;
    const int64_t highest = by < 0 ? size - 1 : size;
    const auto place = [&](const Value& bound, int64_t fallback) {
        const int64_t index = slice_index(bound, fallback);
        if (bound.is_none()) return fallback;
        return std::clamp(index < 0 ? index + size : index, lowest, highest);
    };
    const int64_t from = place(start, by < 0 ? highest : lowest);
    const int64_t to = place(stop, by < 0 ? lowest : highest);
    const int64_t distance = by < 0 ? from - to : to - from;
    if (distance <= 0) return {from, by, 0};
    // `by` may be the smallest integer there is: negate as unsigned.
    const uint64_t stride = by < 0 ? ~static_cast<uint64_t>(by) + 1 : static_cast<uint64_t>(by);
    return {from, by, static_cast<int64_t>((static_cast<uint64_t>(distance) - 1) / stride + 1)};
}

} // namespace

Value Interpreter::get_attribute(const Value& object, std::string_view name) {
    if (object.is_undefined()) throw Failure(object.as_undefined().message);
    if (auto value = python_attribute(*this, object, name)) return std::move(*value);
    if (object.is_dict()) {
        if (const Value* value = object.as_dict()->find_name(name)) return *value;
    } else if (object.type() == Type::object) {
        if (auto value = python_item(*this, object, Value(name))) return std::move(*value);
    }
    return missing_attribute(object, name);
}

Value Interpreter::get_item(const Value& object, const Value& key) {
    if (object.is_undefined()) throw Failure(object.as_undefined().message);
    if (auto value = python_item(*this, object, key)) return std::move(*value);
    if (key.is_string()) {
        if (auto value = python_attribute(*this, object, key.as_string())) return std::move(*value);
        return missing_attribute(object, key.as_string());
    }
    return Value::undefined(type_in_message(object) + " has no element " + repr(key));
}

Value Interpreter::get_slice(const Value& object, const Value& start, const Value& stop, const Value& step) {
    if (object.is_undefined()) throw Failure(object.as_undefined().message);
    if (object.is_string()) {
        const Text& text = object.as_text();
        const SliceBounds bounds = slice_bounds(start, stop, step, static_cast<int64_t>(text.n_chars));
        check_text(static_cast<size_t>(bounds.n));
        const auto first = static_cast<size_t>(bounds.start);
        const auto result = [&](std::string part) {
            return text.is_markup ? Value::markup(std::move(part)) : Value(std::move(part));
        };
        if (bounds.step == 1) return result(substring(text, first, first + static_cast<size_t>(bounds.n)));
        charge_steps(text.bytes.size() / 8);
        const std::u32string characters = decode(text.bytes);
        std::u32string out;
        for (int64_t i = 0; i < bounds.n; ++i) out += characters[static_cast<size_t>(bounds.start + i * bounds.step)];
        return result(encode(out));
    }
    if (object.is_sequence_literal()) {
        const auto& items = object.as_list()->items;
        const SliceBounds bounds = slice_bounds(start, stop, step, static_cast<int64_t>(items.size()));
        charge_steps(static_cast<uint64_t>(bounds.n));
        std::vector<Value> out;
        out.reserve(static_cast<size_t>(bounds.n));
        for (int64_t i = 0; i < bounds.n; ++i)
            out.push_back(items[static_cast<size_t>(bounds.start + i * bounds.step)]);
        return object.is_tuple() ? Value::tuple(std::move(out)) : Value::list(std::move(out));
    }
    if (const auto range = object.as<Range>()) {
        const SliceBounds bounds = slice_bounds(start, stop, step, *range->length());
        return std::make_shared<Range>(range->slice(bounds.start, bounds.step, bounds.n));
    }
    throw Failure("'" + std::string(object.type_name()) + "' object is not subscriptable");
}

} // namespace vkinfer::text::jinja
