// Renders a parsed template: scopes, output, the operations on values that need options or limits. One per render.
#pragma once

#include "text/jinja/ast.h"
#include "text/jinja/parser.h"
#include "text/jinja/sandbox.h"
#include "text/jinja/value.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vkinfer::text::jinja {

struct Options {
    bool lenient = false; ///< lists and dicts may be changed, lazy sequences are JSON lists, from_json exists
    std::time_t now = 0;  ///< what strftime_now shows, seconds since 1970 as local wall clock
    Limits limits;
};

/// Variables of one block. Lookups go to the parent when the name is not here.
class Scope {
public:
    explicit Scope(std::shared_ptr<Scope> parent) : parent_(std::move(parent)) {}

    const Value* find(int symbol) const;
    void set(int symbol, Value value);
    void clear() { variables_.clear(); }

private:
    std::shared_ptr<Scope> parent_;
    std::vector<std::pair<int, Value>> variables_;
};

class Interpreter {
public:
    Interpreter(const Program& program, const Options& options);
    ~Interpreter();
    Interpreter(const Interpreter&) = delete;
    Interpreter& operator=(const Interpreter&) = delete;

    /// Defines an input variable.
    void define(std::string_view name, Value value);
    /// The whole output. Throws Failure.
    std::string run();

    const Options& options() const { return options_; }

    // Running the tree
    Flow run_body(const Body& body);
    Value evaluate(const Expression& expression);
    const std::shared_ptr<Scope>& scope() const { return scope_; }
    /// Runs `action` with `scope` as the innermost one.
    template<class F>
    auto with_scope(std::shared_ptr<Scope> scope, F&& action);
    Flow run_scoped(const Body& body, std::shared_ptr<Scope> scope);
    /// A chain of filters over the text of a block.
    Value filter_block(const Expression& filter, Value text);
    const Value& block_text() const { return block_text_; }
    Value lookup(int symbol, const std::string& name) const;
    void assign(const Target& target, Value value);
    const std::shared_ptr<Scope>& root() const { return root_; }
    /// Remembers a scope that a macro refers to: the two own each other until the end of the render.
    void keep(std::shared_ptr<Scope> scope) { kept_scopes_.push_back(std::move(scope)); }
    void keep(std::shared_ptr<Object> object) { kept_objects_.push_back(std::move(object)); }
    void keep_changed(const Value& container) {
        meter_.add(sizeof(Value));
        changed_.push_back(container);
    }

    // Output
    void write(std::string_view text);
    /// Collects what `body` writes.
    template<class F>
    std::string capture(F&& body);

    // Operations on values (also in attributes.cpp and printing.cpp)
    Value get_attribute(const Value& object, std::string_view name);
    Value get_item(const Value& object, const Value& key);
    Value get_slice(const Value& object, const Value& start, const Value& stop, const Value& step);
    Value call(const Value& callee, Arguments arguments);
    bool contains(const Value& container, const Value& item);
    /// Python's iter(); `what` an error calls it by.
    std::vector<Value> iterate(const Value& value);
    Value length(const Value& value);
    Value binary(const std::string& operation, const Value& a, const Value& b);
    Value repeat(const Value& unit, const Value& factor); ///< text, list or tuple * integer
    bool run_test(const Builtin& test, const Value& subject, Arguments arguments);
    bool compare_values(std::string_view operation, const Value& a, const Value& b);

    std::string to_text(const Value& value); ///< str()
    std::string repr(const Value& value);    ///< repr()

    /// A level of calls (macros, recursive loops, callers); throws beyond the limit.
    class CallLevel {
    public:
        explicit CallLevel(Interpreter& in);
        ~CallLevel() { --in_.call_depth_; }
        CallLevel(const CallLevel&) = delete;
        CallLevel& operator=(const CallLevel&) = delete;

    private:
        Interpreter& in_;
    };

    /// Guards the size of something that grows piece by piece; throws Failure{limit}.
    void check_size(size_t bytes) const;
    /// The same for text made or read at once, whose bytes also count as work.
    void check_text(size_t bytes) const;

private:
    void append_repr(std::string& out, const Value& value);

    Meter meter_; // first in, last out: every value below is counted by it
    StackGuard::Scope stack_;
    const Program& program_;
    const Options& options_;
    std::shared_ptr<Scope> root_;
    std::shared_ptr<Scope> scope_;
    std::vector<std::shared_ptr<Scope>> kept_scopes_;
    std::vector<std::shared_ptr<Object>> kept_objects_;
    std::vector<Value> changed_;
    std::string output_;
    std::string* sink_ = &output_;
    size_t n_captured_bytes_ = 0; // in all buffers that are open
    int call_depth_ = 0;
    Value block_text_;
};

template<class F>
auto Interpreter::with_scope(std::shared_ptr<Scope> scope, F&& action) {
    struct Restore {
        Interpreter& in;
        std::shared_ptr<Scope> before;
        ~Restore() { in.scope_ = std::move(before); }
    } const restore{*this, std::exchange(scope_, std::move(scope))};
    return action();
}

template<class F>
std::string Interpreter::capture(F&& body) {
    std::string buffer;
    std::string* const before = sink_;
    const size_t n_before = n_captured_bytes_;
    sink_ = &buffer;
    struct Restore {
        Interpreter& in;
        std::string* sink;
        size_t n_bytes;
        ~Restore() {
            in.sink_ = sink;
            in.n_captured_bytes_ = n_bytes;
        }
    } const restore{*this, before, n_before};
    body();
    return buffer;
}

/// Appends a string as Python's repr() writes it.
void append_quoted(std::string& out, std::string_view text);

} // namespace vkinfer::text::jinja
