// The objects of the language: functions, macros, namespaces, ranges, views of dicts, lazy sequences, loop.
#pragma once

#include "text/jinja/ast.h"
#include "text/jinja/builtin.h"
#include "text/jinja/interpreter.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vkinfer::text::jinja {

/// A global function, or a method together with its object.
class BuiltinFunction : public Object {
public:
    explicit BuiltinFunction(const Builtin& builtin, Value self = {}, bool is_method = false)
        : builtin_(builtin), self_(std::move(self)), is_method_(is_method) {}

    std::string_view type_name() const override { return is_method_ ? "builtin_function_or_method" : "function"; }
    std::string repr(Interpreter& in) const override;
    bool is_callable() const override { return true; }
    Value call(Interpreter& in, Arguments arguments) override;
    std::optional<bool> equals(const Value& other) const override;

private:
    const Builtin& builtin_;
    Value self_;
    bool is_method_;
};

class Macro : public Object {
public:
    /// `closure` is where the macro was defined; its names are looked up when it runs.
    Macro(const MacroDefinition& definition, std::shared_ptr<Scope> closure)
        : definition_(definition), closure_(std::move(closure)) {}

    std::string_view type_name() const override { return "Macro"; }
    std::string repr(Interpreter& in) const override;
    std::optional<Value> attribute(Interpreter& in, std::string_view name) override;
    bool is_callable() const override { return true; }
    Value call(Interpreter& in, Arguments arguments) override;

private:
    const MacroDefinition& definition_;
    std::shared_ptr<Scope> closure_;
};

class Namespace : public Object {
public:
    void set(const std::string& name, Value value) { values_.set(name, std::move(value)); }

    std::string_view type_name() const override { return "Namespace"; }
    std::string repr(Interpreter& in) const override;
    std::optional<Value> attribute(Interpreter& in, std::string_view name) override;
    std::optional<Value> item(Interpreter& in, const Value& key) override;
    void release() override { values_.clear(); }

private:
    Dict values_;
};

class Range : public Object {
public:
    Range(int64_t start, int64_t stop, int64_t step);

    std::string_view type_name() const override { return "range"; }
    std::string repr(Interpreter& in) const override;
    std::optional<Value> item(Interpreter& in, const Value& key) override;
    std::optional<int64_t> length() const override { return length_; }
    bool truthy() const override { return length_ != 0; }
    bool is_iterable() const override { return true; }
    bool is_sequence() const override { return true; }
    std::vector<Value> iterate(Interpreter& in) override;
    Range slice(int64_t first, int64_t step, int64_t n) const;
    int64_t at(int64_t i) const { return start_ + i * step_; }

private:
    int64_t start_, stop_, step_, length_;
};

/// items(), keys(), values() of a dict.
class DictView : public Object {
public:
    enum class What { keys, values, items };
    DictView(std::shared_ptr<Dict> dict, What what) : dict_(std::move(dict)), what_(what) {}

    std::string_view type_name() const override;
    std::string repr(Interpreter& in) const override;
    std::optional<int64_t> length() const override { return static_cast<int64_t>(dict_->size()); }
    bool truthy() const override { return dict_->size() != 0; }
    bool is_iterable() const override { return true; }
    std::vector<Value> iterate(Interpreter& in) override;

private:
    std::vector<Value> values() const;

    std::shared_ptr<Dict> dict_;
    What what_;
};

/// A generator: computed when it is first iterated, used up afterwards.
class LazySequence : public Object {
public:
    using Source = std::function<std::vector<Value>(Interpreter&)>;
    explicit LazySequence(Source source, std::string_view type = "generator")
        : source_(std::move(source)), type_(type) {}

    std::string_view type_name() const override { return type_; }
    bool is_iterable() const override { return true; }
    std::vector<Value> iterate(Interpreter& in) override;
    /// The first item that is left, which is gone then.
    std::optional<Value> next(Interpreter& in);

private:
    void fill(Interpreter& in);

    Source source_; // empty once it ran
    std::string_view type_;
    std::vector<Value> items_;
    size_t position_ = 0;
};

/// `loop` in a for body.
class Loop : public Object {
public:
    Loop(const For& statement, std::shared_ptr<Scope> outer, std::vector<Value> items, int depth)
        : statement_(statement), outer_(std::move(outer)), items_(std::move(items)), depth_(depth) {}

    std::string_view type_name() const override { return "LoopContext"; }
    std::string repr(Interpreter& in) const override;
    std::optional<Value> attribute(Interpreter& in, std::string_view name) override;
    std::optional<int64_t> length() const override { return static_cast<int64_t>(items_.size()); }
    bool is_callable() const override { return statement_.recursive; }
    Value call(Interpreter& in, Arguments arguments) override;

    const std::vector<Value>& items() const { return items_; }
    void set_position(size_t index) { index_ = index; }
    Value cycle(const std::vector<Value>& values) const;
    bool changed(Value value);

private:
    const For& statement_;
    std::shared_ptr<Scope> outer_;
    std::vector<Value> items_;
    size_t index_ = 0;
    int depth_;
    std::optional<Value> last_changed_;
};

class Cycler : public Object {
public:
    explicit Cycler(std::vector<Value> items) : items_(std::move(items)) {}

    std::string_view type_name() const override { return "Cycler"; }
    std::optional<Value> attribute(Interpreter& in, std::string_view name) override;
    Value next();
    void reset() { position_ = 0; }

private:
    std::vector<Value> items_;
    size_t position_ = 0;
};

class Joiner : public Object {
public:
    explicit Joiner(Value separator) : separator_(std::move(separator)) {}

    std::string_view type_name() const override { return "Joiner"; }
    bool is_callable() const override { return true; }
    Value call(Interpreter& in, Arguments arguments) override;

private:
    Value separator_;
    bool used_ = false;
};

/// Runs the loop over `items`; `depth` counts from 0 for the outermost pass of a recursive loop.
Flow run_loop(Interpreter& in, const For& statement, const std::shared_ptr<Scope>& outer, std::vector<Value> items,
              int depth);

} // namespace vkinfer::text::jinja
