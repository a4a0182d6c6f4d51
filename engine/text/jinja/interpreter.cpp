// The interpreter: scopes, output and the operations that more than one node needs.
#include "text/jinja/interpreter.h"

#include "text/jinja/builtin.h"
#include "text/jinja/formatting.h"
#include "text/jinja/number.h"
#include "text/jinja/objects.h"
#include "text/jinja/text_algorithms.h"

#include <algorithm>

namespace vkinfer::text::jinja {

namespace {

constexpr uint64_t kBytesPerStep = 64;

/// Text as it may stand inside markup.
std::string escaped(const Value& text) {
    return text.is_markup() ? text.as_string() : escape_html(text.as_string());
}

[[noreturn]] void unsupported_operands(const std::string& operation, const Value& a, const Value& b) {
    for (const Value* value : {&a, &b}) {
        if (value->is_undefined()) throw Failure(value->as_undefined().message);
    }
    if (operation == "+" && (a.is_string() || a.is_sequence_literal())) {
        throw Failure("can only concatenate " + std::string(a.type_name()) + " (not \"" + std::string(b.type_name()) +
                      "\") to " + std::string(a.type_name()));
    }
    throw Failure("unsupported operand type(s) for " + operation + ": '" + std::string(a.type_name()) + "' and '" +
                  std::string(b.type_name()) + "'");
}

} // namespace

const Value* Scope::find(int symbol) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->parent_.get()) {
        for (const auto& [name, value] : scope->variables_) {
            if (name == symbol) return &value;
        }
    }
    return nullptr;
}

void Scope::set(int symbol, Value value) {
    for (auto& [name, old] : variables_) {
        if (name == symbol) {
            old = std::move(value);
            return;
        }
    }
    variables_.emplace_back(symbol, std::move(value));
}

Interpreter::Interpreter(const Program& program, const Options& options)
    : meter_(options.limits), stack_(options.limits.stack_bytes), program_(program), options_(options),
      root_(std::make_shared<Scope>(nullptr)), scope_(root_) {
    for (const std::string& name : program.symbols.names()) {
        if (const auto function = find_global(name)) define(name, *function);
    }
}

Interpreter::~Interpreter() {
    // Macros and their scopes, namespaces and changed lists may refer to themselves: cut the circles.
    for (const auto& scope : kept_scopes_) scope->clear();
    for (const auto& object : kept_objects_) object->release();
    for (const Value& value : changed_) {
        if (value.is_dict())
            value.as_dict()->clear();
        else
            value.as_list()->items.clear();
    }
}

void Interpreter::define(std::string_view name, Value value) {
    const auto symbol = program_.symbols.find(name);
    if (!symbol) return; // the template does not name it
    const auto& hidden = program_.hidden_inputs;
    if (std::find(hidden.begin(), hidden.end(), *symbol) == hidden.end()) root_->set(*symbol, std::move(value));
}

std::string Interpreter::run() {
    run_body(program_.body);
    return std::move(output_);
}

Flow Interpreter::run_body(const Body& body) {
    for (const StatementPtr& statement : body) {
        try {
            meter_.spend(1);
            StackGuard::check();
            const Flow flow = statement->run(*this);
            if (flow != Flow::next) return flow;
        } catch (Failure& failure) {
            if (failure.line() == 0) failure.set_line(statement->line);
            throw;
        }
    }
    return Flow::next;
}

Flow Interpreter::run_scoped(const Body& body, std::shared_ptr<Scope> scope) {
    return with_scope(std::move(scope), [&] { return run_body(body); });
}

Value Interpreter::evaluate(const Expression& expression) {
    meter_.spend(1);
    StackGuard::check();
    return expression.evaluate(*this);
}

Value Interpreter::filter_block(const Expression& filter, Value text) {
    block_text_ = std::move(text);
    return evaluate(filter);
}

Value Interpreter::lookup(int symbol, const std::string& name) const {
    if (const Value* value = scope_->find(symbol)) return *value;
    return Value::undefined("'" + name + "' is undefined");
}

void Interpreter::assign(const Target& target, Value value) {
    if (target.is_tuple) {
        const std::vector<Value> values = iterate(value);
        if (values.size() != target.parts.size()) {
            throw Failure(values.size() < target.parts.size()
                              ? "not enough values to unpack (expected " + std::to_string(target.parts.size()) +
                                    ", got " + std::to_string(values.size()) + ")"
                              : "too many values to unpack (expected " + std::to_string(target.parts.size()) + ")");
        }
        for (size_t i = 0; i < values.size(); ++i) assign(target.parts[i], values[i]);
        return;
    }
    if (target.attribute.empty()) {
        scope_->set(target.symbol, std::move(value));
        return;
    }
    const auto space = lookup(target.symbol, target.name).as<Namespace>();
    if (!space) throw Failure("cannot assign attribute on non-namespace object");
    space->set(target.attribute, std::move(value));
}

void Interpreter::write(std::string_view text) {
    meter_.spend(text.size() / kBytesPerStep);
    if (text.size() > options_.limits.output_bytes - n_captured_bytes_) {
        throw Failure("the template renders more than " + std::to_string(options_.limits.output_bytes) + " bytes",
                      FailureKind::limit);
    }
    n_captured_bytes_ += text.size();
    sink_->append(text);
}

void Interpreter::check_size(size_t bytes) const {
    if (bytes > options_.limits.live_bytes / 4) {
        throw Failure("a text of " + std::to_string(bytes) + " bytes is more than a template may make",
                      FailureKind::limit);
    }
}

void Interpreter::check_text(size_t bytes) const {
    charge_steps(1 + bytes / kBytesPerStep);
    check_size(bytes);
}

Interpreter::CallLevel::CallLevel(Interpreter& in) : in_(in) {
    if (in.call_depth_ >= in.options_.limits.call_depth) {
        throw Failure("maximum recursion depth exceeded", FailureKind::limit);
    }
    ++in.call_depth_;
}

Value Interpreter::call(const Value& callee, Arguments arguments) {
    if (callee.is_undefined()) throw Failure(callee.as_undefined().message);
    if (callee.type() != Type::object) {
        throw Failure("'" + std::string(callee.type_name()) + "' object is not callable");
    }
    return callee.as_object()->call(*this, std::move(arguments));
}

std::vector<Value> Interpreter::iterate(const Value& value) {
    switch (value.type()) {
    case Type::undefined:
        return {};
    case Type::list:
        charge_steps(value.as_list()->items.size());
        return value.as_list()->items;
    case Type::dict: {
        std::vector<Value> keys;
        charge_steps(value.as_dict()->size());
        for (const auto& entry : value.as_dict()->entries()) keys.push_back(entry.first);
        return keys;
    }
    case Type::string: {
        const Text& text = value.as_text();
        check_size(text.n_chars * (sizeof(Value) + sizeof(Text) + 32)); // one small string each
        charge_steps(text.n_chars);
        std::vector<Value> characters;
        characters.reserve(text.n_chars);
        for (size_t at = 0; at < text.bytes.size();) {
            size_t end = at + 1;
            while (end < text.bytes.size() && (static_cast<unsigned char>(text.bytes[end]) & 0xC0) == 0x80) ++end;
            characters.emplace_back(std::string_view(text.bytes).substr(at, end - at));
            at = end;
        }
        return characters;
    }
    case Type::object: {
        std::vector<Value> items = value.as_object()->iterate(*this);
        charge_steps(items.size());
        return items;
    }
    default:
        throw Failure("'" + std::string(value.type_name()) + "' object is not iterable");
    }
}

Value Interpreter::length(const Value& value) {
    switch (value.type()) {
    case Type::undefined:
        return 0;
    case Type::string:
        return value.as_text().n_chars;
    case Type::list:
        return value.as_list()->items.size();
    case Type::dict:
        return value.as_dict()->size();
    case Type::object:
        if (const auto n = value.as_object()->length()) return *n;
        break;
    default:
        break;
    }
    throw Failure("object of type '" + std::string(value.type_name()) + "' has no len()");
}

bool Interpreter::contains(const Value& container, const Value& item) {
    switch (container.type()) {
    case Type::undefined:
        return false;
    case Type::string: {
        if (!item.is_string()) {
            throw Failure("'in <string>' requires string as left operand, not " + std::string(item.type_name()));
        }
        charge_steps(container.as_string().size() / kBytesPerStep);
        return find_bytes(container.as_string(), item.as_string(), 0) != std::string::npos;
    }
    case Type::dict:
        return container.as_dict()->find(item) != nullptr;
    case Type::list: {
        charge_steps(container.as_list()->items.size());
        for (const Value& candidate : container.as_list()->items) {
            if (candidate.is_same(item) || equals(candidate, item)) return true;
        }
        return false;
    }
    case Type::object:
        if (!container.as_object()->is_iterable()) break;
        for (const Value& candidate : iterate(container)) {
            if (equals(candidate, item)) return true;
        }
        return false;
    default:
        break;
    }
    throw Failure("argument of type '" + std::string(container.type_name()) + "' is not iterable");
}

Value Interpreter::binary(const std::string& operation, const Value& a, const Value& b) {
    if (a.is_number() && b.is_number()) return arithmetic(operation, a, b);
    if (operation == "+") {
        if (a.is_string() && b.is_string()) {
            check_text(a.as_string().size() + b.as_string().size());
            if (a.is_markup() || b.is_markup()) return Value::markup(escaped(a) + escaped(b));
            return a.as_string() + b.as_string();
        }
        if (a.is_sequence_literal() && b.is_sequence_literal() && a.is_tuple() == b.is_tuple()) {
            std::vector<Value> items = a.as_list()->items;
            const auto& more = b.as_list()->items;
            charge_steps(items.size() + more.size());
            items.insert(items.end(), more.begin(), more.end());
            return a.is_tuple() ? Value::tuple(std::move(items)) : Value::list(std::move(items));
        }
    } else if (operation == "*") {
        const bool a_repeats = a.is_string() || a.is_sequence_literal();
        const Value& unit = a_repeats ? a : b;
        const Value& factor = a_repeats ? b : a;
        if ((unit.is_string() || unit.is_sequence_literal()) && factor.is_integer()) return repeat(unit, factor);
    } else if (operation == "%" && a.is_string()) {
        std::string text = percent_format(*this, a.as_string(), a.is_markup() ? escape_arguments(b) : b);
        return a.is_markup() ? Value::markup(std::move(text)) : Value(std::move(text));
    }
    unsupported_operands(operation, a, b);
}

Value Interpreter::repeat(const Value& unit, const Value& factor) {
    const auto small = factor.as_int();
    if (!small) throw Failure("cannot fit 'int' into an index-sized integer");
    const size_t n = *small < 0 ? 0 : static_cast<size_t>(*small);
    const size_t size = unit.is_string() ? unit.as_string().size() : unit.as_list()->items.size() * sizeof(Value);
    if (size != 0 && n > options_.limits.live_bytes / size) check_size(options_.limits.live_bytes);
    check_text(n * size);
    if (unit.is_string()) {
        std::string text;
        text.reserve(n * size);
        for (size_t i = 0; size != 0 && i < n; ++i) text += unit.as_string();
        return unit.is_markup() ? Value::markup(std::move(text)) : Value(std::move(text));
    }
    std::vector<Value> items;
    const auto& once = unit.as_list()->items;
    charge_steps(n * once.size());
    for (size_t i = 0; size != 0 && i < n; ++i) items.insert(items.end(), once.begin(), once.end());
    return unit.is_tuple() ? Value::tuple(std::move(items)) : Value::list(std::move(items));
}

bool Interpreter::compare_values(std::string_view operation, const Value& a, const Value& b) {
    if (operation == "==") return equals(a, b);
    if (operation == "!=") return !equals(a, b);
    if (operation == "in") return contains(b, a);
    if (operation == "not in") return !contains(b, a);
    // NaN is in no order with anything, which compare() cannot say.
    if (a.is_number() && b.is_number() && compare_numbers(a, b) == std::partial_ordering::unordered) return false;
    const int order = compare(a, b, operation);
    if (operation == "<") return order < 0;
    if (operation == "<=") return order <= 0;
    if (operation == ">") return order > 0;
    return order >= 0;
}

bool Interpreter::run_test(const Builtin& test, const Value& subject, Arguments arguments) {
    return call_builtin(*this, test, subject, std::move(arguments)).truthy();
}

} // namespace vkinfer::text::jinja
