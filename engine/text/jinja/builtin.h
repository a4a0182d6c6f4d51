// Filters, tests, methods and global functions: each is one row of a table with its name, its code and its parameters.
#pragma once

#include "text/jinja/value.h"

#include <array>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::text::jinja {

constexpr size_t kMaxParameters = 6;

class BuiltinCall;

struct Builtin {
    const char* name;
    Value (*run)(BuiltinCall& call);
    std::array<const char*, kMaxParameters> parameters{}; ///< names, null-terminated unless all are used
    int n_required = 0;
    bool takes_more = false;   ///< further positional and named arguments go to rest() and named()
    bool mutates = false;      ///< a method that changes its object: refused by the immutable sandbox
    bool lenient_only = false; ///< not in Hugging Face's environment
};

/// One call of a builtin with its arguments bound to the parameters.
class BuiltinCall {
public:
    /// Throws when required arguments are missing or unknown ones are given.
    BuiltinCall(Interpreter& interpreter, const Builtin& builtin, Value subject, Arguments arguments);

    Interpreter& in;
    Value self; ///< the filtered or tested value, the object of a method; none for functions

    bool has(size_t i) const { return is_bound_[i]; }
    const Value& arg(size_t i) const { return bound_[i]; } ///< none when absent
    Value arg_or(size_t i, Value fallback) const { return is_bound_[i] ? bound_[i] : std::move(fallback); }
    bool flag(size_t i, bool fallback) const { return is_bound_[i] ? bound_[i].truthy() : fallback; }
    /// An integer argument; `fallback` when absent or none.
    int64_t integer(size_t i, int64_t fallback) const;
    /// A string argument; throws for other types.
    const std::string& text(size_t i) const;
    /// A string argument, converted as printing does.
    std::string printed(size_t i) const;

    std::vector<Value>& rest() { return rest_; }
    std::vector<std::pair<std::string, Value>>& named() { return named_; }

private:
    const Builtin& builtin_;
    std::array<Value, kMaxParameters> bound_;
    std::array<bool, kMaxParameters> is_bound_{};
    std::vector<Value> rest_;
    std::vector<std::pair<std::string, Value>> named_;
};

Value call_builtin(Interpreter& in, const Builtin& builtin, Value subject, Arguments arguments);

const Builtin* find_filter(std::string_view name);
const Builtin* find_test(std::string_view name);
const Builtin* find_method(const Value& value, std::string_view name);
/// A function every template can call (range, namespace ...), or nothing.
std::optional<Value> find_global(std::string_view name);

// The tables; every row lives in one of them.
std::span<const Builtin> text_filters();     // filters_text.cpp
std::span<const Builtin> value_filters();    // filters_value.cpp
std::span<const Builtin> sequence_filters(); // filters_sequence.cpp
std::span<const Builtin> tests();            // tests.cpp
std::span<const Builtin> text_methods();     // methods_text.cpp
std::span<const Builtin> list_methods();     // methods_container.cpp
std::span<const Builtin> tuple_methods();
std::span<const Builtin> dict_methods();
std::span<const Builtin> float_methods();
std::span<const Builtin> globals(); // globals.cpp

} // namespace vkinfer::text::jinja
