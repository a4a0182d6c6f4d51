// Statements.
#include "text/jinja/interpreter.h"
#include "text/jinja/objects.h"

#include <algorithm>

namespace vkinfer::text::jinja {

Flow TextOutput::run(Interpreter& in) const {
    in.write(text);
    return Flow::next;
}

Flow Print::run(Interpreter& in) const {
    const Value result = in.evaluate(*value);
    if (result.is_string())
        in.write(result.as_string());
    else
        in.write(in.to_text(result));
    return Flow::next;
}

Flow If::run(Interpreter& in) const {
    for (const auto& [test, body] : branches) {
        if (in.evaluate(*test).truthy()) return in.run_body(body);
    }
    return in.run_body(otherwise);
}

Flow For::run(Interpreter& in) const {
    return run_loop(in, *this, in.scope(), in.iterate(in.evaluate(*sequence)), 0);
}

Flow run_loop(Interpreter& in, const For& statement, const std::shared_ptr<Scope>& outer, std::vector<Value> items,
              int depth) {
    auto scope = std::make_shared<Scope>(outer);
    if (statement.condition) {
        std::vector<Value> passed;
        for (Value& item : items) {
            const auto test = [&] {
                in.assign(statement.target, item);
                return in.evaluate(*statement.condition).truthy();
            };
            if (in.with_scope(scope, test)) {
                // What passes is put together again from its targets, as loop.nextitem shows.
                const bool is_flat = std::none_of(statement.target.parts.begin(), statement.target.parts.end(),
                                                  [](const Target& part) { return part.is_tuple; });
                const bool unpacks = statement.target.is_tuple && is_flat;
                passed.push_back(unpacks ? Value::tuple(in.iterate(item)) : std::move(item));
            }
            scope->clear();
        }
        items = std::move(passed);
    }
    if (items.empty()) return in.run_scoped(statement.otherwise, scope);
    auto loop = std::make_shared<Loop>(statement, outer, std::move(items), depth);
    for (size_t i = 0; i < loop->items().size(); ++i) {
        loop->set_position(i);
        // Each pass begins with fresh names. A macro of the body may still refer to the scope of an earlier one.
        if (scope.use_count() > 1) scope = std::make_shared<Scope>(outer);
        scope->clear();
        scope->set(kLoopSymbol, loop);
        const Flow flow = in.with_scope(scope, [&] {
            in.assign(statement.target, loop->items()[i]);
            return in.run_body(statement.body);
        });
        if (flow == Flow::break_loop) break;
    }
    scope->clear();
    return Flow::next;
}

Flow Set::run(Interpreter& in) const {
    in.assign(target, in.evaluate(*value));
    return Flow::next;
}

Flow SetBlock::run(Interpreter& in) const {
    Flow flow = Flow::next;
    Value text = in.capture([&] { flow = in.run_scoped(body, std::make_shared<Scope>(in.scope())); });
    if (flow != Flow::next) return flow;
    in.assign(target, filter ? in.filter_block(*filter, std::move(text)) : std::move(text));
    return Flow::next;
}

Flow MacroStatement::run(Interpreter& in) const {
    in.keep(in.scope());
    in.scope()->set(symbol, std::make_shared<Macro>(macro, in.scope()));
    return Flow::next;
}

Flow CallBlock::run(Interpreter& in) const {
    in.keep(in.scope());
    const Value function = in.evaluate(*static_cast<const Call&>(*call).callee);
    Arguments arguments = static_cast<const Call&>(*call).arguments.evaluate(in);
    arguments.keyword.emplace_back("caller", std::make_shared<Macro>(caller, in.scope()));
    const Value result = in.call(function, std::move(arguments));
    in.write(in.to_text(result));
    return Flow::next;
}

Flow FilterBlock::run(Interpreter& in) const {
    Flow flow = Flow::next;
    Value text = in.capture([&] { flow = in.run_scoped(body, std::make_shared<Scope>(in.scope())); });
    const Value result = in.filter_block(*filter, std::move(text));
    if (!result.is_string()) throw Failure("a filter block must give a string, not " + std::string(result.type_name()));
    in.write(result.as_string());
    return flow;
}

Flow With::run(Interpreter& in) const {
    auto scope = std::make_shared<Scope>(in.scope());
    std::vector<Value> evaluated;
    for (const auto& [target, expression] : values) evaluated.push_back(in.evaluate(*expression));
    for (size_t i = 0; i < values.size(); ++i) scope->set(values[i].first.symbol, std::move(evaluated[i]));
    return in.run_scoped(body, scope);
}

Flow ScopedBody::run(Interpreter& in) const {
    return in.run_scoped(body, std::make_shared<Scope>(at_root ? in.root() : in.scope()));
}

Flow LoadOther::run(Interpreter&) const {
    throw Failure("a chat template stands alone: there is no other template to include, import or extend");
}

} // namespace vkinfer::text::jinja
