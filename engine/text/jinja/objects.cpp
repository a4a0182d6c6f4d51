// The objects of the language.
#include "text/jinja/objects.h"

#include "text/jinja/text_algorithms.h"

#include <algorithm>

namespace vkinfer::text::jinja {

std::string BuiltinFunction::repr(Interpreter&) const {
    if (!is_method_) return "<function " + std::string(builtin_.name) + ">";
    return "<built-in method " + std::string(builtin_.name) + " of " + std::string(self_.type_name()) + " object>";
}

Value BuiltinFunction::call(Interpreter& in, Arguments arguments) {
    if (!self_.is_markup()) return call_builtin(in, builtin_, self_, std::move(arguments));
    // Methods of markup give markup; what goes into it is escaped.
    for (Value& argument : arguments.positional) {
        if (std::string_view(builtin_.name) == "format") argument = escape_arguments(argument);
    }
    Value result = call_builtin(in, builtin_, self_, std::move(arguments));
    if (result.is_string()) return Value::markup(result.as_string());
    if (result.type() == Type::list) {
        for (Value& part : result.as_list()->items) part = Value::markup(part.as_string()); // split and its kin
    }
    return result;
}

std::optional<bool> BuiltinFunction::equals(const Value& other) const {
    const auto function = other.as<BuiltinFunction>();
    return function && &function->builtin_ == &builtin_ && self_.is_same(function->self_);
}

std::string Macro::repr(Interpreter& in) const {
    return "<Macro " + in.repr(Value(definition_.name)) + ">";
}

std::optional<Value> Macro::attribute(Interpreter&, std::string_view name) {
    if (name == "name") return Value(definition_.name);
    if (name == "catch_kwargs") return Value(definition_.uses_kwargs);
    if (name == "catch_varargs") return Value(definition_.uses_varargs);
    if (name == "caller") return Value(definition_.uses_caller);
    if (name != "arguments") return std::nullopt;
    std::vector<Value> names;
    for (const auto& parameter : definition_.parameters) names.emplace_back(parameter.second);
    return Value::tuple(std::move(names));
}

Value Macro::call(Interpreter& in, Arguments arguments) {
    const Interpreter::CallLevel level(in);
    const auto& parameters = definition_.parameters;
    const auto complain = [&](const std::string& what) { throw Failure("macro '" + definition_.name + "' " + what); };
    auto scope = std::make_shared<Scope>(closure_);

    std::vector<std::optional<Value>> bound(parameters.size());
    const size_t n_positional = std::min(parameters.size(), arguments.positional.size());
    for (size_t i = 0; i < n_positional; ++i) bound[i] = std::move(arguments.positional[i]);
    auto kwargs = std::make_shared<Dict>();
    std::optional<Value> caller;
    for (auto& [name, value] : arguments.keyword) {
        const auto found =
            std::find_if(parameters.begin(), parameters.end(), [&](const auto& p) { return p.second == name; });
        if (found != parameters.end()) {
            auto& place = bound[static_cast<size_t>(found - parameters.begin())];
            if (place) complain("got multiple values for argument '" + name + "'");
            place = std::move(value);
        } else if (name == "caller" && definition_.uses_caller) {
            caller = std::move(value);
        } else if (definition_.uses_kwargs) {
            kwargs->set(name, std::move(value));
        } else if (name == "caller") {
            complain("was invoked with two values for the special caller argument, or does not take a caller");
        } else {
            complain("takes no keyword argument '" + name + "'");
        }
    }
    if (arguments.positional.size() > parameters.size() && !definition_.uses_varargs) {
        complain("takes not more than " + std::to_string(parameters.size()) + " argument(s)");
    }
    if (definition_.uses_caller) {
        scope->set(definition_.caller_symbol, caller ? *caller : Value::undefined("No caller defined"));
    }
    if (definition_.uses_kwargs) scope->set(definition_.kwargs_symbol, kwargs);
    if (definition_.uses_varargs) {
        std::vector<Value> more(arguments.positional.begin() + static_cast<ptrdiff_t>(n_positional),
                                arguments.positional.end());
        scope->set(definition_.varargs_symbol, Value::tuple(std::move(more)));
    }
    return in.with_scope(scope, [&] {
        const size_t first_default = parameters.size() - definition_.defaults.size();
        for (size_t i = 0; i < parameters.size(); ++i) {
            const auto& [symbol, name] = parameters[i];
            if (bound[i])
                scope->set(symbol, std::move(*bound[i]));
            else if (i >= first_default)
                scope->set(symbol, in.evaluate(*definition_.defaults[i - first_default]));
            else
                scope->set(symbol, Value::undefined("parameter '" + name + "' was not provided"));
        }
        return Value(in.capture([&] { in.run_body(definition_.body); }));
    });
}

std::string Namespace::repr(Interpreter& in) const {
    std::string out = "<Namespace {";
    bool is_first = true;
    for (const auto& [name, value] : values_.entries()) {
        out += (is_first ? "" : ", ") + in.repr(name) + ": " + in.repr(value);
        is_first = false;
    }
    return out + "}>";
}

std::optional<Value> Namespace::attribute(Interpreter&, std::string_view name) {
    const Value* value = values_.find_name(name);
    return value != nullptr ? std::optional(*value) : std::nullopt;
}

std::optional<Value> Namespace::item(Interpreter&, const Value&) {
    return std::nullopt;
}

Range::Range(int64_t start, int64_t stop, int64_t step) : start_(start), stop_(stop), step_(step), length_(0) {
    if (step == 0) throw Failure("range() arg 3 must not be zero");
    const bool up = step > 0;
    if (up ? start < stop : start > stop) {
        const uint64_t distance = up ? static_cast<uint64_t>(stop) - static_cast<uint64_t>(start)
                                     : static_cast<uint64_t>(start) - static_cast<uint64_t>(stop);
        const uint64_t stride = up ? static_cast<uint64_t>(step) : ~static_cast<uint64_t>(step) + 1;
        const uint64_t n = (distance - 1) / stride + 1;
        if (n > static_cast<uint64_t>(kMaxRange)) {
            throw Failure("Range too big. The sandbox blocks ranges larger than MAX_RANGE (" +
                              std::to_string(kMaxRange) + ").",
                          FailureKind::limit);
        }
        length_ = static_cast<int64_t>(n);
    }
}

std::string Range::repr(Interpreter&) const {
    std::string out = "range(" + std::to_string(start_) + ", " + std::to_string(stop_);
    if (step_ != 1) out += ", " + std::to_string(step_);
    return out + ")";
}

std::optional<Value> Range::item(Interpreter&, const Value& key) {
    auto index = key.as_int();
    if (!index) return std::nullopt;
    if (*index < 0) *index += length_;
    if (*index < 0 || *index >= length_) return std::nullopt;
    return Value(at(*index));
}

std::vector<Value> Range::iterate(Interpreter&) {
    std::vector<Value> items;
    items.reserve(static_cast<size_t>(length_));
    for (int64_t i = 0; i < length_; ++i) items.emplace_back(at(i));
    return items;
}

Range Range::slice(int64_t first, int64_t step, int64_t n) const {
    if (n == 0) return Range(start_, start_, 1);
    const int64_t by = n == 1 ? 1 : step_ * step; // n > 1: within the range, so it does not overflow
    return Range(at(first), at(first) + n * by, by);
}

std::string_view DictView::type_name() const {
    switch (what_) {
    case What::keys:
        return "dict_keys";
    case What::values:
        return "dict_values";
    case What::items:
        return "dict_items";
    }
    return "dict_items";
}

std::string DictView::repr(Interpreter& in) const {
    return std::string(type_name()) + "(" + in.repr(Value::list(values())) + ")";
}

std::vector<Value> DictView::values() const {
    std::vector<Value> out;
    out.reserve(dict_->size());
    charge_steps(dict_->size());
    for (const auto& [key, value] : dict_->entries()) {
        if (what_ == What::items)
            out.push_back(Value::tuple({key, value}));
        else
            out.push_back(what_ == What::keys ? key : value);
    }
    return out;
}

std::vector<Value> DictView::iterate(Interpreter&) {
    return values();
}

void LazySequence::fill(Interpreter& in) {
    if (!source_) return;
    const Source source = std::exchange(source_, nullptr);
    items_ = source(in);
}

std::vector<Value> LazySequence::iterate(Interpreter& in) {
    fill(in);
    std::vector<Value> rest(std::make_move_iterator(items_.begin() + static_cast<ptrdiff_t>(position_)),
                            std::make_move_iterator(items_.end()));
    items_.clear();
    position_ = 0;
    return rest;
}

std::optional<Value> LazySequence::next(Interpreter& in) {
    fill(in);
    if (position_ == items_.size()) return std::nullopt;
    return items_[position_++];
}

std::string Loop::repr(Interpreter&) const {
    return "<LoopContext " + std::to_string(index_ + 1) + "/" + std::to_string(items_.size()) + ">";
}

namespace {

Value loop_cycle(BuiltinCall& call) {
    return call.self.as<Loop>()->cycle(call.rest());
}
Value loop_changed(BuiltinCall& call) {
    return call.self.as<Loop>()->changed(Value::tuple(call.rest()));
}
Value cycler_next(BuiltinCall& call) {
    return call.self.as<Cycler>()->next();
}
Value cycler_reset(BuiltinCall& call) {
    call.self.as<Cycler>()->reset();
    return nullptr;
}

constexpr Builtin kLoopCycle{.name = "cycle", .run = loop_cycle, .takes_more = true};
constexpr Builtin kLoopChanged{.name = "changed", .run = loop_changed, .takes_more = true};
constexpr Builtin kCyclerNext{.name = "next", .run = cycler_next};
constexpr Builtin kCyclerReset{.name = "reset", .run = cycler_reset};

} // namespace

std::optional<Value> Loop::attribute(Interpreter&, std::string_view name) {
    const size_t n = items_.size();
    if (name == "index0") return Value(index_);
    if (name == "index") return Value(index_ + 1);
    if (name == "first") return Value(index_ == 0);
    if (name == "last") return Value(index_ + 1 == n);
    if (name == "length") return Value(n);
    if (name == "revindex") return Value(n - index_);
    if (name == "revindex0") return Value(n - index_ - 1);
    if (name == "depth") return Value(depth_ + 1);
    if (name == "depth0") return Value(depth_);
    if (name == "previtem") return index_ > 0 ? items_[index_ - 1] : Value::undefined("there is no previous item");
    if (name == "nextitem") return index_ + 1 < n ? items_[index_ + 1] : Value::undefined("there is no next item");
    if (name == "cycle") return std::make_shared<BuiltinFunction>(kLoopCycle, self(), true);
    if (name == "changed") return std::make_shared<BuiltinFunction>(kLoopChanged, self(), true);
    return std::nullopt;
}

Value Loop::call(Interpreter& in, Arguments arguments) {
    if (!statement_.recursive) {
        throw Failure("The loop must have the 'recursive' marker to be called recursively.");
    }
    if (arguments.positional.size() != 1 || !arguments.keyword.empty()) throw Failure("loop() takes one argument");
    const Interpreter::CallLevel level(in);
    std::vector<Value> items = in.iterate(arguments.positional[0]);
    return in.capture(
        [&] { in.with_scope(outer_, [&] { return run_loop(in, statement_, outer_, std::move(items), depth_ + 1); }); });
}

Value Loop::cycle(const std::vector<Value>& values) const {
    if (values.empty()) throw Failure("no items for cycling given");
    return values[index_ % values.size()];
}

bool Loop::changed(Value value) {
    if (last_changed_ && jinja::equals(*last_changed_, value)) return false;
    last_changed_ = std::move(value);
    return true;
}

std::optional<Value> Cycler::attribute(Interpreter&, std::string_view name) {
    if (name == "current") return items_[position_];
    if (name == "next") return Value(std::make_shared<BuiltinFunction>(kCyclerNext, self(), true));
    if (name == "reset") return Value(std::make_shared<BuiltinFunction>(kCyclerReset, self(), true));
    return std::nullopt;
}

Value Cycler::next() {
    Value current = items_[position_];
    position_ = (position_ + 1) % items_.size();
    return current;
}

Value Joiner::call(Interpreter&, Arguments) {
    return std::exchange(used_, true) ? separator_ : Value("");
}

} // namespace vkinfer::text::jinja
