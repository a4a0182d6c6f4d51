// Tests: `x is name` and the names that select, reject and their kin take.
#include "text/jinja/builtin.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/number.h"
#include "text/jinja/objects.h"
#include "text/jinja/unicode.h"

namespace vkinfer::text::jinja {

namespace {

Value is_defined(BuiltinCall& call) {
    return !call.self.is_undefined();
}
Value is_undefined(BuiltinCall& call) {
    return call.self.is_undefined();
}
Value is_none(BuiltinCall& call) {
    return call.self.is_none();
}
Value is_boolean(BuiltinCall& call) {
    return call.self.is_bool();
}
Value is_true(BuiltinCall& call) {
    return call.self.is_bool() && call.self.as_bool();
}
Value is_false(BuiltinCall& call) {
    return call.self.is_bool() && !call.self.as_bool();
}
Value is_integer(BuiltinCall& call) {
    return call.self.is_integer() && !call.self.is_bool();
}
Value is_float(BuiltinCall& call) {
    return call.self.type() == Type::floating;
}
Value is_number(BuiltinCall& call) {
    return call.self.is_number();
}
Value is_string(BuiltinCall& call) {
    return call.self.is_string();
}
Value is_mapping(BuiltinCall& call) {
    return call.self.is_dict();
}
Value is_escaped(BuiltinCall& call) {
    return call.self.is_markup();
}

Value is_sequence(BuiltinCall& call) {
    if (call.self.type() == Type::object) return call.self.as_object()->is_sequence();
    return call.self.is_string() || call.self.is_dict() || call.self.is_sequence_literal() || call.self.is_undefined();
}

Value is_iterable(BuiltinCall& call) {
    if (call.self.type() == Type::object) return call.self.as_object()->is_iterable();
    return is_sequence(call);
}

Value is_callable(BuiltinCall& call) {
    // Jinja's undefined value has a __call__, which fails.
    return call.self.is_undefined() || (call.self.type() == Type::object && call.self.as_object()->is_callable());
}

Value is_divisible(BuiltinCall& call) {
    return equals(call.in.binary("%", call.self, call.arg(0)), Value(0));
}
Value is_odd(BuiltinCall& call) {
    return equals(call.in.binary("%", call.self, Value(2)), Value(1));
}
Value is_even(BuiltinCall& call) {
    return equals(call.in.binary("%", call.self, Value(2)), Value(0));
}

Value is_equal(BuiltinCall& call) {
    return equals(call.self, call.arg(0));
}
Value is_not_equal(BuiltinCall& call) {
    return !equals(call.self, call.arg(0));
}
Value is_less(BuiltinCall& call) {
    return call.in.compare_values("<", call.self, call.arg(0));
}
Value is_less_or_equal(BuiltinCall& call) {
    return call.in.compare_values("<=", call.self, call.arg(0));
}
Value is_greater(BuiltinCall& call) {
    return call.in.compare_values(">", call.self, call.arg(0));
}
Value is_greater_or_equal(BuiltinCall& call) {
    return call.in.compare_values(">=", call.self, call.arg(0));
}
Value is_in(BuiltinCall& call) {
    return call.in.contains(call.arg(0), call.self);
}
Value is_same_as(BuiltinCall& call) {
    return call.self.is_same(call.arg(0));
}

/// str.islower and str.isupper: every letter with a case has this one, and there is one.
Value has_case(BuiltinCall& call, bool (*wanted)(char32_t), bool (*other)(char32_t)) {
    const std::string text = call.in.to_text(call.self);
    bool found = false;
    for (size_t at = 0; at < text.size();) {
        const char32_t c = next_char(text, at);
        if (other(c)) return false;
        found |= wanted(c);
    }
    return found;
}
Value is_lower_case(BuiltinCall& call) {
    return has_case(call, is_lower, is_upper);
}
Value is_upper_case(BuiltinCall& call) {
    return has_case(call, is_upper, is_lower);
}

Value is_filter(BuiltinCall& call) {
    const Builtin* filter = call.self.is_string() ? find_filter(call.self.as_string()) : nullptr;
    return filter != nullptr && (!filter->lenient_only || call.in.options().lenient);
}
Value is_test(BuiltinCall& call) {
    return call.self.is_string() && find_test(call.self.as_string()) != nullptr;
}

constexpr Builtin comparison(const char* name, Value (*run)(BuiltinCall&)) {
    return {.name = name, .run = run, .parameters = {"other"}, .n_required = 1};
}

constexpr Builtin kTests[] = {
    {.name = "defined", .run = is_defined},
    {.name = "undefined", .run = is_undefined},
    {.name = "none", .run = is_none},
    {.name = "boolean", .run = is_boolean},
    {.name = "true", .run = is_true},
    {.name = "false", .run = is_false},
    {.name = "integer", .run = is_integer},
    {.name = "float", .run = is_float},
    {.name = "number", .run = is_number},
    {.name = "string", .run = is_string},
    {.name = "mapping", .run = is_mapping},
    {.name = "sequence", .run = is_sequence},
    {.name = "iterable", .run = is_iterable},
    {.name = "callable", .run = is_callable},
    {.name = "escaped", .run = is_escaped},
    {.name = "lower", .run = is_lower_case},
    {.name = "upper", .run = is_upper_case},
    {.name = "odd", .run = is_odd},
    {.name = "even", .run = is_even},
    {.name = "filter", .run = is_filter},
    {.name = "test", .run = is_test},
    comparison("divisibleby", is_divisible),
    comparison("sameas", is_same_as),
    comparison("in", is_in),
    comparison("==", is_equal),
    comparison("eq", is_equal),
    comparison("equalto", is_equal),
    comparison("!=", is_not_equal),
    comparison("ne", is_not_equal),
    comparison("<", is_less),
    comparison("lt", is_less),
    comparison("lessthan", is_less),
    comparison("<=", is_less_or_equal),
    comparison("le", is_less_or_equal),
    comparison(">", is_greater),
    comparison("gt", is_greater),
    comparison("greaterthan", is_greater),
    comparison(">=", is_greater_or_equal),
    comparison("ge", is_greater_or_equal),
};

} // namespace

std::span<const Builtin> tests() {
    return kTests;
}

} // namespace vkinfer::text::jinja
