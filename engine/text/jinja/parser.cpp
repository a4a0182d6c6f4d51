// Parser, part 1: tags and bodies.
#include "text/jinja/parser_impl.h"

#include "text/jinja/builtin.h"

#include <algorithm>

namespace vkinfer::text::jinja {

namespace {

template<class T>
std::unique_ptr<T> statement(int line) {
    auto node = std::make_unique<T>();
    node->line = line;
    return node;
}

/// Sets a variable until the end of the scope.
template<class T>
class Restore {
public:
    Restore(T& variable, T value) : variable_(variable), before_(variable) { variable = value; }
    ~Restore() { variable_ = before_; }
    Restore(const Restore&) = delete;
    Restore& operator=(const Restore&) = delete;

private:
    T& variable_;
    T before_;
};

} // namespace

int SymbolTable::intern(const std::string& name) {
    const auto [it, is_new] = ids_.emplace(name, static_cast<int>(names_.size()));
    if (is_new) names_.push_back(name);
    return it->second;
}

std::optional<int> SymbolTable::find(std::string_view name) const {
    const auto it = ids_.find(std::string(name));
    return it != ids_.end() ? std::optional(it->second) : std::nullopt;
}

Program parse(std::string_view source) {
    if (source.size() > kMaxTemplateBytes) {
        throw Failure("the template has " + std::to_string(source.size()) + " bytes, more than " +
                          std::to_string(kMaxTemplateBytes),
                      FailureKind::limit);
    }
    return Parser(source).run();
}

Program Parser::run() {
    program_.symbols.intern("loop"); // number kLoopSymbol
    program_.body = parse_body({}, {});
    for (const auto& [failure, lenient_has_it] : unknown_) {
        if (!lenient_has_it) throw failure;
        if (!program_.strict_failure) program_.strict_failure = failure;
    }
    return std::move(program_);
}

void Parser::fail(const std::string& message) const {
    throw Failure(message, FailureKind::syntax, current().line);
}

void Parser::unexpected(std::string_view wanted) const {
    if (is(TokenKind::end)) fail("unexpected end of template, expected '" + std::string(wanted) + "'.");
    fail("expected token '" + std::string(wanted) + "', got '" + describe(current()) + "'");
}

bool Parser::skip_op(std::string_view op) {
    if (!is_op(op)) return false;
    take();
    return true;
}

bool Parser::skip_name(std::string_view name) {
    if (!is_name(name)) return false;
    take();
    return true;
}

Token Parser::expect(TokenKind kind) {
    if (!is(kind)) unexpected(kind == TokenKind::name ? "name" : describe({kind, "", 0}));
    return take();
}

void Parser::expect_op(std::string_view op) {
    if (!skip_op(op)) unexpected(op);
}

void Parser::expect_name(std::string_view name) {
    if (!skip_name(name)) unexpected(name);
}

Body Parser::parse_body(Ends end_tags, std::string_view opened_by) {
    const Nesting nesting(*this);
    Body body;
    while (true) {
        const int line = current().line;
        if (is(TokenKind::end)) {
            if (end_tags.size() == 0) return body;
            std::string wanted;
            for (const std::string_view tag : end_tags)
                wanted += (wanted.empty() ? "'" : " or '") + std::string(tag) + "'";
            fail("Unexpected end of template. Jinja was looking for the following tags: " + wanted +
                 ". The innermost block that needs to be closed is '" + std::string(opened_by) + "'.");
        } else if (is(TokenKind::data)) {
            auto node = statement<TextOutput>(line);
            node->text = take().text;
            body.push_back(std::move(node));
        } else if (is(TokenKind::variable_begin)) {
            take();
            auto node = statement<Print>(line);
            node->value = parse_tuple();
            expect(TokenKind::variable_end);
            body.push_back(std::move(node));
        } else {
            expect(TokenKind::block_begin);
            if (is(TokenKind::name) && std::find(end_tags.begin(), end_tags.end(), current().text) != end_tags.end()) {
                return body;
            }
            if (StatementPtr node = parse_tag()) {
                node->line = line;
                body.push_back(std::move(node));
            }
            expect(TokenKind::block_end);
        }
    }
}

Body Parser::parse_block(Ends end_tags, std::string_view opened_by) {
    skip_op(":"); // Jinja lets a tag end like a Python statement
    expect(TokenKind::block_end);
    return parse_body(end_tags, opened_by);
}

void Parser::note_read(int symbol) {
    if (scopes_ == 0) seen_at_top_.insert(symbol);
}

void Parser::note_set(const Target& target) {
    for (const Target& part : target.parts) note_set(part);
    if (target.is_tuple || scopes_ != 0) return;
    const bool is_new = seen_at_top_.insert(target.symbol).second;
    // Set in some branches only, the name still means the input elsewhere.
    if (is_new && target.attribute.empty() && !is_conditional_) program_.hidden_inputs.push_back(target.symbol);
}

Body Parser::parse_scoped_block(Ends end_tags, std::string_view opened_by) {
    const Restore scopes(scopes_, scopes_ + 1);
    const Restore conditional(is_conditional_, false);
    return parse_block(end_tags, opened_by);
}

StatementPtr Parser::parse_tag() {
    if (!is(TokenKind::name)) fail("tag name expected");
    const std::string tag = take().text;
    if (tag == "if") return parse_if();
    if (tag == "for") return parse_for();
    if (tag == "set") return parse_set();
    if (tag == "macro") return parse_macro();
    if (tag == "call") return parse_call_block();
    if (tag == "filter") return parse_filter_block();
    if (tag == "with") return parse_with();
    if (tag == "generation") return parse_scoped(false);
    if (tag == "block") return parse_scoped(true);
    if (tag == "autoescape") return parse_autoescape();
    if (tag == "print") return parse_print();
    if (tag == "break") return parse_jump(Flow::break_loop);
    if (tag == "continue") return parse_jump(Flow::continue_loop);
    if (tag == "include" || tag == "import" || tag == "from" || tag == "extends") return parse_load_other();
    fail("Encountered unknown tag '" + tag + "'.");
}

StatementPtr Parser::parse_if() {
    auto node = statement<If>(current().line);
    const Restore conditional(is_conditional_, true);
    while (true) {
        ExpressionPtr test = parse_tuple(false);
        Body body = parse_block({"elif", "else", "endif"}, "if");
        node->branches.emplace_back(std::move(test), std::move(body));
        if (skip_name("elif")) continue;
        if (skip_name("else")) node->otherwise = parse_block({"endif"}, "if");
        expect_name("endif");
        return node;
    }
}

StatementPtr Parser::parse_for() {
    auto node = statement<For>(current().line);
    node->target = parse_target(false, "in");
    expect_name("in");
    node->sequence = parse_tuple(false, "recursive");
    if (skip_name("if")) {
        const Restore conditional(is_conditional_, false);
        const Restore scopes(scopes_, scopes_ + 1);
        node->condition = parse_expression();
    }
    node->recursive = skip_name("recursive");
    {
        const Restore loops(loops_, loops_ + 1);
        node->body = parse_scoped_block({"else", "endfor"}, "for");
    }
    if (skip_name("else")) node->otherwise = parse_scoped_block({"endfor"}, "for");
    expect_name("endfor");
    return node;
}

Target Parser::name_target(bool with_attribute) {
    Target target;
    target.name = expect(TokenKind::name).text;
    for (const char* constant : {"true", "false", "none", "True", "False", "None"}) {
        if (target.name == constant) fail("can't assign to '" + target.name + "'");
    }
    target.symbol = program_.symbols.intern(target.name);
    if (with_attribute && skip_op(".")) target.attribute = expect(TokenKind::name).text;
    return target;
}

Target Parser::parse_target(bool with_attribute, std::string_view end_name) {
    const Nesting nesting(*this);
    Target all;
    while (true) {
        if (is_op("=") || is_op(")") || is(TokenKind::block_end) || (!end_name.empty() && is_name(end_name))) break;
        if (skip_op("(")) {
            Target inner = parse_target(with_attribute, {});
            expect_op(")");
            all.parts.push_back(std::move(inner));
        } else {
            all.parts.push_back(name_target(with_attribute));
        }
        if (!skip_op(",")) break;
        all.is_tuple = true;
    }
    if (all.parts.empty()) fail("Expected a name, got '" + describe(current()) + "'");
    if (all.is_tuple) return all;
    Target single = std::move(all.parts[0]);
    return single;
}

StatementPtr Parser::parse_set() {
    const int line = current().line;
    Target target = parse_target(true, {});
    if (skip_op("=")) {
        auto node = statement<Set>(line);
        node->value = parse_tuple();
        note_set(target);
        node->target = std::move(target);
        return node;
    }
    auto node = statement<SetBlock>(line);
    note_set(target);
    node->target = std::move(target);
    if (is_op("|")) node->filter = parse_filters(nullptr);
    node->body = parse_scoped_block({"endset"}, "set");
    expect_name("endset");
    return node;
}

void Parser::parse_signature(MacroDefinition& macro) {
    expect_op("(");
    while (!is_op(")")) {
        if (!macro.parameters.empty()) expect_op(",");
        if (is_op(")")) break; // a trailing comma
        const Target parameter = name_target(false);
        macro.parameters.emplace_back(parameter.symbol, parameter.name);
        if (skip_op("=")) {
            macro.defaults.push_back(parse_expression());
        } else if (!macro.defaults.empty()) {
            fail("non-default argument follows default argument");
        }
    }
    expect_op(")");
}

void Parser::parse_macro_body(MacroDefinition& macro, std::string_view end_tag, std::string_view opened_by) {
    macro.varargs_symbol = program_.symbols.intern("varargs");
    macro.kwargs_symbol = program_.symbols.intern("kwargs");
    macro.caller_symbol = program_.symbols.intern("caller");
    macros_.push_back(&macro);
    const Restore loops(loops_, 0);
    macro.body = parse_scoped_block({end_tag}, opened_by);
    macros_.pop_back();
    expect_name(end_tag);
}

StatementPtr Parser::parse_macro() {
    auto node = statement<MacroStatement>(current().line);
    const Target name = name_target(false);
    node->symbol = name.symbol;
    node->macro.name = name.name;
    note_set(name);
    const Restore conditional(is_conditional_, false);
    const Restore scopes(scopes_, scopes_ + 1);
    parse_signature(node->macro);
    parse_macro_body(node->macro, "endmacro", "macro");
    return node;
}

StatementPtr Parser::parse_call_block() {
    auto node = statement<CallBlock>(current().line);
    if (is_op("(")) parse_signature(node->caller);
    node->caller.name = "caller";
    node->call = parse_expression();
    if (dynamic_cast<Call*>(node->call.get()) == nullptr) fail("expected call");
    parse_macro_body(node->caller, "endcall", "call");
    return node;
}

StatementPtr Parser::parse_filter_block() {
    auto node = statement<FilterBlock>(current().line);
    node->filter = parse_filters(parse_filter(nullptr));
    node->body = parse_scoped_block({"endfilter"}, "filter");
    expect_name("endfilter");
    return node;
}

StatementPtr Parser::parse_with() {
    auto node = statement<With>(current().line);
    while (!is(TokenKind::block_end)) {
        if (!node->values.empty()) expect_op(",");
        Target target = name_target(false);
        expect_op("=");
        node->values.emplace_back(std::move(target), parse_expression());
    }
    node->body = parse_scoped_block({"endwith"}, "with");
    expect_name("endwith");
    return node;
}

StatementPtr Parser::parse_scoped(bool at_root) {
    auto node = statement<ScopedBody>(current().line);
    node->at_root = at_root;
    const Restore loops(loops_, 0);
    if (!at_root) {
        node->body = parse_scoped_block({"endgeneration"}, "generation");
        expect_name("endgeneration");
        return node;
    }
    expect(TokenKind::name);
    while (skip_name("scoped") || skip_name("required")) {
    }
    node->body = parse_scoped_block({"endblock"}, "block");
    expect_name("endblock");
    if (is(TokenKind::name)) take(); // {% endblock name %}
    return node;
}

StatementPtr Parser::parse_autoescape() {
    auto node = statement<ScopedBody>(current().line);
    if (!is_name("false") && !is_name("False")) fail("autoescape is supported with the constant false only");
    take();
    node->body = parse_scoped_block({"endautoescape"}, "autoescape");
    expect_name("endautoescape");
    return node;
}

StatementPtr Parser::parse_print() {
    auto node = statement<Print>(current().line);
    node->value = parse_tuple();
    return node;
}

StatementPtr Parser::parse_load_other() {
    auto node = statement<LoadOther>(current().line);
    while (!is(TokenKind::block_end) && !is(TokenKind::end)) take();
    return node;
}

StatementPtr Parser::parse_jump(Flow flow) {
    if (loops_ == 0) fail(std::string("'") + (flow == Flow::break_loop ? "break" : "continue") + "' outside loop");
    auto node = statement<Jump>(current().line);
    node->flow = flow;
    return node;
}

} // namespace vkinfer::text::jinja
