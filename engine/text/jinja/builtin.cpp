// Binding arguments to the parameters of a builtin, and finding builtins by name.
#include "text/jinja/builtin.h"

#include "text/jinja/interpreter.h"
#include "text/jinja/objects.h"

#include <algorithm>

namespace vkinfer::text::jinja {

namespace {

const Builtin* find_in(std::span<const Builtin> rows, std::string_view name) {
    const auto row =
        std::find_if(rows.begin(), rows.end(), [&](const Builtin& candidate) { return candidate.name == name; });
    return row != rows.end() ? &*row : nullptr;
}

} // namespace

BuiltinCall::BuiltinCall(Interpreter& interpreter, const Builtin& builtin, Value subject, Arguments arguments)
    : in(interpreter), self(std::move(subject)), builtin_(builtin) {
    const auto& names = builtin.parameters;
    const auto n_parameters = static_cast<size_t>(std::find(names.begin(), names.end(), nullptr) - names.begin());
    const std::string function = std::string(builtin.name) + "()";
    for (size_t i = 0; i < arguments.positional.size(); ++i) {
        if (i < n_parameters) {
            bound_[i] = std::move(arguments.positional[i]);
            is_bound_[i] = true;
        } else if (builtin.takes_more) {
            rest_.push_back(std::move(arguments.positional[i]));
        } else {
            throw Failure(function + " takes at most " + std::to_string(n_parameters) + " arguments, " +
                          std::to_string(arguments.positional.size()) + " given");
        }
    }
    for (auto& [name, value] : arguments.keyword) {
        const auto place = std::find_if(names.begin(), names.begin() + static_cast<ptrdiff_t>(n_parameters),
                                        [&](const char* parameter) { return name == parameter; });
        const auto i = static_cast<size_t>(place - names.begin());
        if (i < n_parameters) {
            if (is_bound_[i]) throw Failure(function + " got multiple values for argument '" + name + "'");
            bound_[i] = std::move(value);
            is_bound_[i] = true;
        } else if (builtin.takes_more) {
            named_.emplace_back(name, std::move(value));
        } else {
            throw Failure(function + " got an unexpected keyword argument '" + name + "'");
        }
    }
    for (size_t i = 0; i < static_cast<size_t>(builtin.n_required); ++i) {
        if (!is_bound_[i]) throw Failure(function + " missing required argument '" + names[i] + "'");
    }
}

int64_t BuiltinCall::integer(size_t i, int64_t fallback) const {
    if (!is_bound_[i] || bound_[i].is_none()) return fallback;
    if (const auto value = bound_[i].as_int()) return *value;
    if (bound_[i].is_undefined()) throw Failure(bound_[i].as_undefined().message);
    throw Failure("'" + std::string(bound_[i].type_name()) + "' object cannot be interpreted as an integer");
}

const std::string& BuiltinCall::text(size_t i) const {
    if (bound_[i].is_string()) return bound_[i].as_string();
    if (bound_[i].is_undefined()) throw Failure(bound_[i].as_undefined().message);
    throw Failure(std::string(builtin_.name) + "() argument '" + builtin_.parameters[i] + "' must be str, not " +
                  std::string(bound_[i].type_name()));
}

std::string BuiltinCall::printed(size_t i) const {
    return in.to_text(bound_[i]);
}

Value call_builtin(Interpreter& in, const Builtin& builtin, Value subject, Arguments arguments) {
    BuiltinCall call(in, builtin, std::move(subject), std::move(arguments));
    return builtin.run(call);
}

const Builtin* find_filter(std::string_view name) {
    for (const auto rows : {text_filters(), value_filters(), sequence_filters()}) {
        if (const Builtin* row = find_in(rows, name)) return row;
    }
    return nullptr;
}

const Builtin* find_test(std::string_view name) {
    return find_in(tests(), name);
}

const Builtin* find_method(const Value& value, std::string_view name) {
    switch (value.type()) {
    case Type::string:
        return find_in(text_methods(), name);
    case Type::dict:
        return find_in(dict_methods(), name);
    case Type::list:
        return find_in(value.is_tuple() ? tuple_methods() : list_methods(), name);
    case Type::floating:
        return find_in(float_methods(), name);
    default:
        return nullptr;
    }
}

std::optional<Value> find_global(std::string_view name) {
    if (const Builtin* row = find_in(globals(), name)) return std::make_shared<BuiltinFunction>(*row);
    return std::nullopt;
}

} // namespace vkinfer::text::jinja
