// Parser, part 2: expressions, loosest operator first.
#include "text/jinja/parser_impl.h"

#include "text/jinja/builtin.h"
#include "text/jinja/number.h"

#include <algorithm>

namespace vkinfer::text::jinja {

namespace {

template<class T>
std::unique_ptr<T> expression(int line) {
    auto node = std::make_unique<T>();
    node->line = line;
    return node;
}

int depth_of_arguments(const CallArguments& arguments) {
    int depth = 0;
    const auto add = [&](const ExpressionPtr& child) {
        if (child) depth = std::max(depth, child->depth);
    };
    for (const auto& argument : arguments.positional) add(argument);
    for (const auto& argument : arguments.keyword) add(argument.second);
    add(arguments.star);
    add(arguments.star_star);
    return depth;
}

} // namespace

void Parser::set_depth(Expression& node, std::initializer_list<const Expression*> children) const {
    for (const Expression* child : children) {
        if (child != nullptr) node.depth = std::max(node.depth, child->depth + 1);
    }
    if (node.depth > kMaxChain) fail("an expression is nested too deep");
}

void Parser::set_depth(Expression& node, const CallArguments& arguments) const {
    node.depth = std::max(node.depth, depth_of_arguments(arguments) + 1);
    if (node.depth > kMaxChain) fail("an expression is nested too deep");
}

ExpressionPtr Parser::parse_expression(bool with_condition) {
    return with_condition ? parse_conditional() : parse_or();
}

ExpressionPtr Parser::parse_tuple(bool with_condition, std::string_view end_name, bool in_parentheses) {
    const int line = current().line;
    std::vector<ExpressionPtr> items;
    bool is_tuple = false;
    while (true) {
        if (!items.empty() && !is_tuple) break;
        if (is(TokenKind::variable_end) || is(TokenKind::block_end) || is_op(")") ||
            (!end_name.empty() && is_name(end_name))) {
            break;
        }
        items.push_back(parse_expression(with_condition));
        if (!skip_op(",")) break;
        is_tuple = true;
    }
    if (!is_tuple && items.size() == 1) return std::move(items[0]);
    if (items.empty() && !in_parentheses) fail("Expected an expression, got '" + describe(current()) + "'");
    auto node = expression<SequenceLiteral>(line);
    node->is_tuple = true;
    for (const auto& item : items) set_depth(*node, {item.get()});
    node->items = std::move(items);
    return node;
}

ExpressionPtr Parser::parse_conditional() {
    const Nesting nesting(*this);
    const int line = current().line;
    const size_t n_unknown = unknown_.size();
    ExpressionPtr node = parse_or();
    while (skip_name("if")) {
        auto choice = expression<Conditional>(line);
        choice->then = std::move(node);
        choice->test = parse_or();
        if (skip_name("else")) choice->otherwise = parse_conditional();
        set_depth(*choice, {choice->then.get(), choice->test.get(), choice->otherwise.get()});
        node = std::move(choice);
        unknown_.erase(unknown_.begin() + static_cast<ptrdiff_t>(n_unknown),
                       unknown_.end()); // unknown filters of a choice fail when they are reached
    }
    return node;
}

ExpressionPtr Parser::parse_or() {
    const int line = current().line;
    ExpressionPtr left = parse_and();
    while (skip_name("or")) {
        auto node = expression<Logic>(line);
        node->left = std::move(left);
        node->right = parse_and();
        set_depth(*node, {node->left.get(), node->right.get()});
        left = std::move(node);
    }
    return left;
}

ExpressionPtr Parser::parse_and() {
    const int line = current().line;
    ExpressionPtr left = parse_not();
    while (skip_name("and")) {
        auto node = expression<Logic>(line);
        node->is_and = true;
        node->left = std::move(left);
        node->right = parse_not();
        set_depth(*node, {node->left.get(), node->right.get()});
        left = std::move(node);
    }
    return left;
}

ExpressionPtr Parser::parse_not() {
    if (!is_name("not")) return parse_comparison();
    const Nesting nesting(*this);
    auto node = expression<Not>(take().line);
    node->operand = parse_not();
    set_depth(*node, {node->operand.get()});
    return node;
}

ExpressionPtr Parser::parse_comparison() {
    const int line = current().line;
    ExpressionPtr first = parse_sum();
    auto node = expression<Comparison>(line);
    while (true) {
        std::string operation;
        if (is(TokenKind::op)) {
            for (const char* op : {"==", "!=", "<", "<=", ">", ">="}) {
                if (current().text == op) operation = op;
            }
            if (operation.empty()) break;
            take();
        } else if (skip_name("in")) {
            operation = "in";
        } else if (is_name("not") && ahead().kind == TokenKind::name && ahead().text == "in") {
            take();
            take();
            operation = "not in";
        } else {
            break;
        }
        ExpressionPtr operand = parse_sum();
        set_depth(*node, {operand.get()});
        node->rest.emplace_back(std::move(operation), std::move(operand));
    }
    if (node->rest.empty()) return first;
    set_depth(*node, {first.get()});
    node->first = std::move(first);
    return node;
}

ExpressionPtr Parser::parse_sum() {
    ExpressionPtr left = parse_concat();
    while (is_op("+") || is_op("-")) {
        auto node = expression<Binary>(current().line);
        node->operation = take().text;
        node->left = std::move(left);
        node->right = parse_concat();
        set_depth(*node, {node->left.get(), node->right.get()});
        left = std::move(node);
    }
    return left;
}

ExpressionPtr Parser::parse_concat() {
    const int line = current().line;
    ExpressionPtr first = parse_product();
    if (!is_op("~")) return first;
    auto node = expression<Concat>(line);
    set_depth(*node, {first.get()});
    node->parts.push_back(std::move(first));
    while (skip_op("~")) {
        node->parts.push_back(parse_product());
        set_depth(*node, {node->parts.back().get()});
    }
    return node;
}

ExpressionPtr Parser::parse_product() {
    ExpressionPtr left = parse_power();
    while (is_op("*") || is_op("/") || is_op("//") || is_op("%")) {
        auto node = expression<Binary>(current().line);
        node->operation = take().text;
        node->left = std::move(left);
        node->right = parse_power();
        set_depth(*node, {node->left.get(), node->right.get()});
        left = std::move(node);
    }
    return left;
}

ExpressionPtr Parser::parse_power() {
    ExpressionPtr left = parse_unary();
    while (is_op("**")) {
        auto node = expression<Binary>(current().line);
        node->operation = take().text;
        node->left = std::move(left);
        node->right = parse_unary();
        set_depth(*node, {node->left.get(), node->right.get()});
        left = std::move(node);
    }
    return left;
}

ExpressionPtr Parser::parse_unary(bool with_filter) {
    const Nesting nesting(*this);
    ExpressionPtr node;
    if (is_op("-") || is_op("+")) {
        auto sign = expression<Sign>(current().line);
        sign->negative = take().text == "-";
        sign->operand = parse_unary(false);
        set_depth(*sign, {sign->operand.get()});
        node = std::move(sign);
    } else {
        node = parse_primary();
    }
    node = parse_postfix(std::move(node));
    return with_filter ? parse_filters(std::move(node)) : std::move(node);
}

ExpressionPtr Parser::name_expression(const std::string& name, int line) {
    auto node = expression<Name>(line);
    node->name = name;
    node->symbol = program_.symbols.intern(name);
    note_read(node->symbol);
    for (MacroDefinition* macro : macros_) {
        macro->uses_varargs |= name == "varargs";
        macro->uses_kwargs |= name == "kwargs";
        macro->uses_caller |= name == "caller";
    }
    return node;
}

ExpressionPtr Parser::parse_primary() {
    const int line = current().line;
    const auto constant = [&](Value value) {
        auto node = expression<Constant>(line);
        node->value = std::move(value);
        return node;
    };
    switch (current().kind) {
    case TokenKind::name: {
        const std::string name = take().text;
        if (name == "true" || name == "True") return constant(true);
        if (name == "false" || name == "False") return constant(false);
        if (name == "none" || name == "None") return constant(nullptr);
        return name_expression(name, line);
    }
    case TokenKind::string: {
        std::string text;
        while (is(TokenKind::string)) text += take().text;
        return constant(std::move(text));
    }
    case TokenKind::integer: {
        const auto number = parse_integer(current().text, 0);
        if (!number) fail("invalid integer '" + current().text + "'");
        take();
        return constant(*number);
    }
    case TokenKind::floating:
        return constant(*parse_float(take().text));
    default:
        break;
    }
    if (skip_op("(")) {
        ExpressionPtr node = parse_tuple(true, {}, true);
        expect_op(")");
        return node;
    }
    if (is_op("[")) return parse_list();
    if (is_op("{")) return parse_dict();
    if (is(TokenKind::end)) unexpected("end of print statement");
    fail("Expected an expression, got '" + describe(current()) + "'");
}

ExpressionPtr Parser::parse_list() {
    auto node = expression<SequenceLiteral>(take().line);
    while (!is_op("]")) {
        if (!node->items.empty()) expect_op(",");
        if (is_op("]")) break;
        node->items.push_back(parse_expression());
        set_depth(*node, {node->items.back().get()});
    }
    expect_op("]");
    return node;
}

ExpressionPtr Parser::parse_dict() {
    auto node = expression<DictLiteral>(take().line);
    while (!is_op("}")) {
        if (!node->items.empty()) expect_op(",");
        if (is_op("}")) break;
        ExpressionPtr key = parse_expression();
        expect_op(":");
        ExpressionPtr value = parse_expression();
        set_depth(*node, {key.get(), value.get()});
        node->items.emplace_back(std::move(key), std::move(value));
    }
    expect_op("}");
    return node;
}

ExpressionPtr Parser::parse_postfix(ExpressionPtr node) {
    while (true) {
        if (is_op(".") || is_op("["))
            node = parse_subscript(std::move(node));
        else if (is_op("("))
            node = parse_call(std::move(node));
        else
            return node;
    }
}

ExpressionPtr Parser::parse_subscript(ExpressionPtr object) {
    const int line = current().line;
    if (skip_op(".")) {
        if (is(TokenKind::name)) {
            auto node = expression<Attribute>(line);
            node->name = take().text;
            node->object = std::move(object);
            set_depth(*node, {node->object.get()});
            return node;
        }
        if (!is(TokenKind::integer)) fail("expected name or number");
        auto node = expression<Subscript>(line);
        node->index = parse_primary();
        node->object = std::move(object);
        set_depth(*node, {node->object.get()});
        return node;
    }
    expect_op("[");
    std::vector<ExpressionPtr> indices;
    while (!is_op("]")) {
        if (!indices.empty()) expect_op(",");
        indices.push_back(parse_subscript_index());
    }
    expect_op("]");
    if (indices.empty()) fail("Expected an expression, got ']'");
    if (indices.size() == 1) {
        if (auto* slice = dynamic_cast<Slice*>(indices[0].get()); slice != nullptr && slice->object == nullptr) {
            slice->object = std::move(object);
            set_depth(*slice, {slice->object.get()});
            return std::move(indices[0]);
        }
    }
    auto node = expression<Subscript>(line);
    if (indices.size() == 1) {
        node->index = std::move(indices[0]);
    } else {
        auto tuple = expression<SequenceLiteral>(line);
        tuple->is_tuple = true;
        for (const auto& index : indices) {
            if (dynamic_cast<Slice*>(index.get()) != nullptr) fail("a slice stands alone in its brackets");
            set_depth(*tuple, {index.get()});
        }
        tuple->items = std::move(indices);
        node->index = std::move(tuple);
    }
    node->object = std::move(object);
    set_depth(*node, {node->object.get(), node->index.get()});
    return node;
}

ExpressionPtr Parser::parse_subscript_index() {
    const int line = current().line;
    ExpressionPtr start;
    if (!is_op(":")) {
        start = parse_expression();
        if (!is_op(":")) return start;
    }
    expect_op(":");
    auto node = expression<Slice>(line);
    node->start = std::move(start);
    const auto absent = [&] { return is_op(":") || is_op("]") || is_op(","); };
    if (!absent()) node->stop = parse_expression();
    if (skip_op(":") && !absent()) node->step = parse_expression();
    set_depth(*node, {node->start.get(), node->stop.get(), node->step.get()});
    return node;
}

CallArguments Parser::parse_arguments() {
    CallArguments arguments;
    expect_op("(");
    bool is_first = true;
    while (!is_op(")")) {
        if (!is_first) {
            expect_op(",");
            if (is_op(")")) break;
        }
        is_first = false;
        if (skip_op("*")) {
            if (arguments.star || arguments.star_star) fail("invalid syntax for function call expression");
            arguments.star = parse_expression();
        } else if (skip_op("**")) {
            if (arguments.star_star) fail("invalid syntax for function call expression");
            arguments.star_star = parse_expression();
        } else if (is(TokenKind::name) && ahead().kind == TokenKind::op && ahead().text == "=") {
            if (arguments.star_star) fail("invalid syntax for function call expression");
            std::string name = take().text;
            take();
            arguments.keyword.emplace_back(std::move(name), parse_expression());
        } else {
            if (arguments.star || arguments.star_star || !arguments.keyword.empty()) {
                fail("invalid syntax for function call expression");
            }
            arguments.positional.push_back(parse_expression());
        }
    }
    expect_op(")");
    return arguments;
}

ExpressionPtr Parser::parse_call(ExpressionPtr callee) {
    auto node = expression<Call>(current().line);
    node->callee = std::move(callee);
    node->arguments = parse_arguments();
    set_depth(*node, {node->callee.get()});
    set_depth(*node, node->arguments);
    return node;
}

std::string Parser::parse_dotted_name() {
    std::string name = expect(TokenKind::name).text;
    while (skip_op(".")) name += "." + expect(TokenKind::name).text;
    return name;
}

const Builtin* Parser::check_builtin(const Builtin* builtin, std::string_view what, const std::string& name, int line) {
    const bool is_known = builtin != nullptr && !builtin->lenient_only;
    if (!is_known && !is_conditional_) {
        const std::string message = "No " + std::string(what) + " named '" + name + "'.";
        unknown_.emplace_back(Failure(message, FailureKind::syntax, line), builtin != nullptr);
    }
    return builtin;
}

ExpressionPtr Parser::parse_filter(ExpressionPtr input) {
    auto node = expression<Filter>(current().line);
    node->name = parse_dotted_name();
    node->builtin = check_builtin(find_filter(node->name), "filter", node->name, node->line);
    if (is_op("(")) node->arguments = parse_arguments();
    node->input = std::move(input);
    set_depth(*node, {node->input.get()});
    set_depth(*node, node->arguments);
    return node;
}

ExpressionPtr Parser::parse_filters(ExpressionPtr node) {
    while (true) {
        if (skip_op("|"))
            node = parse_filter(std::move(node));
        else if (node && is_name("is"))
            node = parse_test(std::move(node));
        else if (node && is_op("("))
            node = parse_call(std::move(node));
        else
            return node;
    }
}

ExpressionPtr Parser::parse_test(ExpressionPtr input) {
    auto node = expression<Test>(take().line);
    const bool negated = skip_name("not");
    node->name = parse_dotted_name();
    node->builtin = check_builtin(find_test(node->name), "test", node->name, node->line);
    if (is_op("(")) {
        node->arguments = parse_arguments();
    } else if ((is(TokenKind::name) && !is_name("else") && !is_name("or") && !is_name("and")) ||
               is(TokenKind::string) || is(TokenKind::integer) || is(TokenKind::floating) || is_op("[") || is_op("{")) {
        if (is_name("is")) fail("You cannot chain multiple tests with is");
        node->arguments.positional.push_back(parse_postfix(parse_primary()));
    }
    node->input = std::move(input);
    set_depth(*node, {node->input.get()});
    set_depth(*node, node->arguments);
    if (!negated) return node;
    auto inverse = expression<Not>(node->line);
    inverse->operand = std::move(node);
    set_depth(*inverse, {inverse->operand.get()});
    return inverse;
}

} // namespace vkinfer::text::jinja
