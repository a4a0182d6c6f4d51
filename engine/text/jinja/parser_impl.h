// The parser's class; expressions are in parser_expressions.cpp, tags in parser.cpp.
#pragma once

#include "text/jinja/lexer.h"
#include "text/jinja/parser.h"

#include <algorithm>
#include <initializer_list>
#include <unordered_set>

namespace vkinfer::text::jinja {

struct Builtin;

class Parser {
public:
    explicit Parser(std::string_view source) : tokens_(tokenize(source)) {}
    Program run();

private:
    using Ends = std::initializer_list<std::string_view>;

    // Tokens
    const Token& current() const { return tokens_[at_]; }
    const Token& ahead(size_t n = 1) const { return tokens_[std::min(at_ + n, tokens_.size() - 1)]; }
    bool is(TokenKind kind) const { return current().kind == kind; }
    bool is_op(std::string_view op) const { return is(TokenKind::op) && current().text == op; }
    bool is_name(std::string_view name) const { return is(TokenKind::name) && current().text == name; }
    bool skip_op(std::string_view op);
    bool skip_name(std::string_view name);
    Token take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
    Token expect(TokenKind kind);
    void expect_op(std::string_view op);
    void expect_name(std::string_view name);
    [[noreturn]] void fail(const std::string& message) const;
    [[noreturn]] void unexpected(std::string_view wanted) const;

    // Statements (parser.cpp)
    Body parse_body(Ends end_tags, std::string_view opened_by);
    Body parse_block(Ends end_tags, std::string_view opened_by); ///< from %} to the tag in end_tags, its name consumed
    Body parse_scoped_block(Ends end_tags, std::string_view opened_by);
    StatementPtr parse_tag();
    StatementPtr parse_if();
    StatementPtr parse_for();
    StatementPtr parse_set();
    StatementPtr parse_macro();
    StatementPtr parse_call_block();
    StatementPtr parse_filter_block();
    StatementPtr parse_with();
    StatementPtr parse_scoped(bool at_root);
    StatementPtr parse_autoescape();
    StatementPtr parse_print();
    StatementPtr parse_load_other();
    StatementPtr parse_jump(Flow flow);
    void parse_signature(MacroDefinition& macro);
    void parse_macro_body(MacroDefinition& macro, std::string_view end_tag, std::string_view opened_by);
    Target parse_target(bool with_attribute, std::string_view end_name);
    Target name_target(bool with_attribute);

    // Expressions (parser_expressions.cpp)
    ExpressionPtr parse_expression(bool with_condition = true);
    ExpressionPtr parse_tuple(bool with_condition = true, std::string_view end_name = {}, bool in_parentheses = false);
    ExpressionPtr parse_conditional();
    ExpressionPtr parse_or();
    ExpressionPtr parse_and();
    ExpressionPtr parse_not();
    ExpressionPtr parse_comparison();
    ExpressionPtr parse_sum();
    ExpressionPtr parse_concat();
    ExpressionPtr parse_product();
    ExpressionPtr parse_power();
    ExpressionPtr parse_unary(bool with_filter = true);
    ExpressionPtr parse_primary();
    ExpressionPtr parse_list();
    ExpressionPtr parse_dict();
    ExpressionPtr parse_postfix(ExpressionPtr node);
    ExpressionPtr parse_subscript(ExpressionPtr node);
    ExpressionPtr parse_subscript_index();
    ExpressionPtr parse_call(ExpressionPtr node);
    ExpressionPtr parse_filters(ExpressionPtr node);
    ExpressionPtr parse_filter(ExpressionPtr input); ///< the name and arguments behind `|`
    ExpressionPtr parse_test(ExpressionPtr node);
    CallArguments parse_arguments();
    void note_read(int symbol);
    void note_set(const Target& target);
    std::string parse_dotted_name();
    ExpressionPtr name_expression(const std::string& name, int line);
    const Builtin* check_builtin(const Builtin* builtin, std::string_view what, const std::string& name, int line);
    void set_depth(Expression& node, std::initializer_list<const Expression*> children) const;
    void set_depth(Expression& node, const CallArguments& arguments) const;

    struct Nesting; // counts levels of recursion, so that the stack is not at the template's mercy

    std::vector<Token> tokens_;
    size_t at_ = 0;
    int depth_ = 0;
    int scopes_ = 0;                      // bodies with names of their own around the current place
    std::unordered_set<int> seen_at_top_; // names that the top level has read or set so far
    int loops_ = 0;                       // loops around the current statement within this function body
    bool is_conditional_ = false;         // inside an if of this scope: unknown filters fail only when they are reached
    std::vector<MacroDefinition*> macros_;
    std::vector<std::pair<Failure, bool>> unknown_; // filters and tests that do not exist; true: lenient mode has them
    Program program_;
};

struct Parser::Nesting {
    explicit Nesting(Parser& owner) : parser(owner) {
        if (++parser.depth_ > kMaxParseDepth) parser.fail("the template is nested too deep");
    }
    ~Nesting() { --parser.depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    Parser& parser;
};

} // namespace vkinfer::text::jinja
