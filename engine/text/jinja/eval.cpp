// Expressions.
#include "text/jinja/builtin.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/number.h"
#include "text/jinja/objects.h"

namespace vkinfer::text::jinja {

Arguments CallArguments::evaluate(Interpreter& in) const {
    Arguments out;
    out.positional.reserve(positional.size());
    for (const auto& argument : positional) out.positional.push_back(in.evaluate(*argument));
    for (const auto& [name, argument] : keyword) out.keyword.emplace_back(name, in.evaluate(*argument));
    if (star) {
        for (Value& value : in.iterate(in.evaluate(*star))) out.positional.push_back(std::move(value));
    }
    if (star_star) {
        const Value dict = in.evaluate(*star_star);
        if (!dict.is_dict()) throw Failure("argument after ** must be a mapping, not " + std::string(dict.type_name()));
        for (const auto& [key, value] : dict.as_dict()->entries()) {
            if (!key.is_string()) throw Failure("keywords must be strings");
            out.keyword.emplace_back(key.as_string(), value);
        }
    }
    return out;
}

Value Name::evaluate(Interpreter& in) const {
    return in.lookup(symbol, name);
}

Value SequenceLiteral::evaluate(Interpreter& in) const {
    std::vector<Value> values;
    values.reserve(items.size());
    for (const auto& item : items) values.push_back(in.evaluate(*item));
    return is_tuple ? Value::tuple(std::move(values)) : Value::list(std::move(values));
}

Value DictLiteral::evaluate(Interpreter& in) const {
    auto dict = std::make_shared<Dict>();
    for (const auto& [key, value] : items) {
        Value evaluated_key = in.evaluate(*key);
        dict->set(std::move(evaluated_key), in.evaluate(*value));
    }
    return dict;
}

Value Attribute::evaluate(Interpreter& in) const {
    return in.get_attribute(in.evaluate(*object), name);
}

Value Subscript::evaluate(Interpreter& in) const {
    const Value container = in.evaluate(*object);
    return in.get_item(container, in.evaluate(*index));
}

Value Slice::evaluate(Interpreter& in) const {
    if (!object) throw Failure("a slice stands alone in its brackets");
    const Value container = in.evaluate(*object);
    const auto bound = [&](const ExpressionPtr& expression) { return expression ? in.evaluate(*expression) : Value(); };
    const Value from = bound(start);
    const Value to = bound(stop);
    return in.get_slice(container, from, to, bound(step));
}

Value Call::evaluate(Interpreter& in) const {
    const Value function = in.evaluate(*callee);
    return in.call(function, arguments.evaluate(in));
}

Value Filter::evaluate(Interpreter& in) const {
    if (builtin == nullptr || (builtin->lenient_only && !in.options().lenient)) {
        throw Failure("No filter named '" + name + "' found.");
    }
    // Without an input the filter stands at the head of a block, whose text the interpreter holds ready.
    Value value = input ? in.evaluate(*input) : in.block_text();
    return call_builtin(in, *builtin, std::move(value), arguments.evaluate(in));
}

Value Test::evaluate(Interpreter& in) const {
    if (builtin == nullptr) throw Failure("No test named '" + name + "' found.");
    // `is defined` must not stumble over what is missing, so the subject is whatever evaluation gives.
    Value value = in.evaluate(*input);
    return in.run_test(*builtin, value, arguments.evaluate(in));
}

Value Not::evaluate(Interpreter& in) const {
    return !in.evaluate(*operand).truthy();
}

Value Sign::evaluate(Interpreter& in) const {
    const Value value = in.evaluate(*operand);
    if (value.is_undefined()) throw Failure(value.as_undefined().message);
    if (!value.is_number()) {
        throw Failure(std::string("bad operand type for unary ") + (negative ? "-" : "+") + ": '" +
                      std::string(value.type_name()) + "'");
    }
    if (negative) return negate(value);
    return value.is_bool() ? Value(*value.as_int()) : value;
}

Value Binary::evaluate(Interpreter& in) const {
    const Value a = in.evaluate(*left);
    return in.binary(operation, a, in.evaluate(*right));
}

Value Concat::evaluate(Interpreter& in) const {
    std::string text;
    for (const auto& part : parts) {
        const Value value = in.evaluate(*part);
        const std::string piece = in.to_text(value);
        charge_steps(piece.size() / 64);
        in.check_size(text.size() + piece.size());
        text += piece;
    }
    return text;
}

Value Comparison::evaluate(Interpreter& in) const {
    Value a = in.evaluate(*first);
    for (size_t i = 0; i < rest.size(); ++i) {
        Value b = in.evaluate(*rest[i].second);
        if (!in.compare_values(rest[i].first, a, b)) return false;
        a = std::move(b);
    }
    return true;
}

Value Logic::evaluate(Interpreter& in) const {
    Value value = in.evaluate(*left);
    if (value.truthy() != is_and) return value;
    return in.evaluate(*right);
}

Value Conditional::evaluate(Interpreter& in) const {
    if (in.evaluate(*test).truthy()) return in.evaluate(*then);
    if (otherwise) return in.evaluate(*otherwise);
    return Value::undefined("the inline if-expression on line " + std::to_string(line) +
                            " evaluated to false and no else section was defined.");
}

} // namespace vkinfer::text::jinja
