// The tree a template is parsed into. Nodes evaluate themselves (eval.cpp, statements.cpp) and never change after
// parsing, so one tree serves many threads.
#pragma once

#include "text/jinja/value.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace vkinfer::text::jinja {

struct Builtin;

/// An expression. `depth` is the height of the tree below, which the parser bounds.
struct Expression {
    virtual ~Expression() = default;
    virtual Value evaluate(Interpreter& in) const = 0;

    int line = 0;
    int depth = 1;
};
using ExpressionPtr = std::unique_ptr<Expression>;

/// What `break` and `continue` do to the statements around them.
enum class Flow { next, break_loop, continue_loop };

struct Statement {
    virtual ~Statement() = default;
    virtual Flow run(Interpreter& in) const = 0;

    int line = 0;
};
using StatementPtr = std::unique_ptr<Statement>;
using Body = std::vector<StatementPtr>;

/// What can stand left of `=`: a name, an attribute of a namespace, or several of these.
struct Target {
    int symbol = -1;
    std::string name;
    std::string attribute;     ///< not empty: `name.attribute`
    std::vector<Target> parts; ///< not empty: unpacks
    bool is_tuple = false;
};

struct CallArguments {
    std::vector<ExpressionPtr> positional;
    std::vector<std::pair<std::string, ExpressionPtr>> keyword;
    ExpressionPtr star;      ///< *args
    ExpressionPtr star_star; ///< **kwargs

    Arguments evaluate(Interpreter& in) const;
};

// Expressions

struct Constant : Expression {
    Value value;
    Value evaluate(Interpreter&) const override { return value; }
};
struct Name : Expression {
    int symbol = -1;
    std::string name;
    Value evaluate(Interpreter& in) const override;
};
struct SequenceLiteral : Expression {
    std::vector<ExpressionPtr> items;
    bool is_tuple = false;
    Value evaluate(Interpreter& in) const override;
};
struct DictLiteral : Expression {
    std::vector<std::pair<ExpressionPtr, ExpressionPtr>> items;
    Value evaluate(Interpreter& in) const override;
};
struct Attribute : Expression {
    ExpressionPtr object;
    std::string name;
    Value evaluate(Interpreter& in) const override;
};
struct Subscript : Expression {
    ExpressionPtr object, index;
    Value evaluate(Interpreter& in) const override;
};
struct Slice : Expression {
    ExpressionPtr object, start, stop, step; // all but object may be null
    Value evaluate(Interpreter& in) const override;
};
struct Call : Expression {
    ExpressionPtr callee;
    CallArguments arguments;
    Value evaluate(Interpreter& in) const override;
};
struct Filter : Expression {
    ExpressionPtr input; // null at the head of a filter block: the text of the block
    std::string name;
    const Builtin* builtin = nullptr; // null: unknown, an error when it is reached
    CallArguments arguments;
    Value evaluate(Interpreter& in) const override;
};
struct Test : Expression {
    ExpressionPtr input;
    std::string name;
    const Builtin* builtin = nullptr;
    CallArguments arguments;
    Value evaluate(Interpreter& in) const override;
};
struct Not : Expression {
    ExpressionPtr operand;
    Value evaluate(Interpreter& in) const override;
};
struct Sign : Expression {
    ExpressionPtr operand;
    bool negative = false;
    Value evaluate(Interpreter& in) const override;
};
struct Binary : Expression {
    std::string operation; // + - * / // % **
    ExpressionPtr left, right;
    Value evaluate(Interpreter& in) const override;
};
struct Concat : Expression {
    std::vector<ExpressionPtr> parts;
    Value evaluate(Interpreter& in) const override;
};
struct Comparison : Expression {
    ExpressionPtr first;
    std::vector<std::pair<std::string, ExpressionPtr>> rest; // == != < <= > >= in "not in"
    Value evaluate(Interpreter& in) const override;
};
struct Logic : Expression {
    bool is_and = false;
    ExpressionPtr left, right;
    Value evaluate(Interpreter& in) const override;
};
struct Conditional : Expression {
    ExpressionPtr test, then, otherwise; // otherwise may be null
    Value evaluate(Interpreter& in) const override;
};

// Statements

struct TextOutput : Statement {
    std::string text;
    Flow run(Interpreter& in) const override;
};
struct Print : Statement {
    ExpressionPtr value;
    Flow run(Interpreter& in) const override;
};
struct If : Statement {
    std::vector<std::pair<ExpressionPtr, Body>> branches;
    Body otherwise;
    Flow run(Interpreter& in) const override;
};
struct For : Statement {
    Target target;
    ExpressionPtr sequence, condition; // condition may be null
    bool recursive = false;
    Body body, otherwise;
    Flow run(Interpreter& in) const override;
};
struct Set : Statement {
    Target target;
    ExpressionPtr value;
    Flow run(Interpreter& in) const override;
};
struct SetBlock : Statement {
    Target target;
    ExpressionPtr filter; // null or a chain of filters whose innermost input is the text
    Body body;
    Flow run(Interpreter& in) const override;
};
/// A macro, and the body of a call block (a macro without a name).
struct MacroDefinition {
    std::string name;
    std::vector<std::pair<int, std::string>> parameters; // symbol, name
    std::vector<ExpressionPtr> defaults;                 // of the last parameters
    bool uses_varargs = false, uses_kwargs = false, uses_caller = false;
    int varargs_symbol = -1, kwargs_symbol = -1, caller_symbol = -1;
    Body body;
};
struct MacroStatement : Statement {
    int symbol = -1;
    MacroDefinition macro;
    Flow run(Interpreter& in) const override;
};
struct CallBlock : Statement {
    MacroDefinition caller;
    ExpressionPtr call; // a Call
    Flow run(Interpreter& in) const override;
};
struct FilterBlock : Statement {
    ExpressionPtr filter;
    Body body;
    Flow run(Interpreter& in) const override;
};
struct With : Statement {
    std::vector<std::pair<Target, ExpressionPtr>> values;
    Body body;
    Flow run(Interpreter& in) const override;
};
/// A body with its own scope: generation, and block in a template that nobody extends.
struct ScopedBody : Statement {
    bool at_root = false; // a block sees the names of the template only
    Body body;
    Flow run(Interpreter& in) const override;
};
struct Jump : Statement {
    Flow flow = Flow::break_loop;
    Flow run(Interpreter&) const override { return flow; }
};
/// include, import, extends: there are no other templates to load.
struct LoadOther : Statement {
    Flow run(Interpreter& in) const override;
};

} // namespace vkinfer::text::jinja
