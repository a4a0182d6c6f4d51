// Values of the template language. They behave as Python's: references to lists and dicts are shared, strings count in
// code points, integers have no upper bound, and a missing thing is an Undefined that remembers what was missing.
#pragma once

#include "text/jinja/errors.h"
#include "text/jinja/sandbox.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace vkinfer::text::jinja {

class Interpreter;
class Object;
struct Dict;
struct List;

enum class Type : uint8_t { undefined, none, boolean, integer, big_integer, floating, string, list, dict, object };

/// What an undefined value says when something is asked of it. Printing it gives nothing.
struct Undefined {
    std::string message; ///< such as "'dict object' has no attribute 'x'"
};

/// Immutable UTF-8 text; knows its length in code points, so that ASCII text is indexed at once.
struct Text {
    explicit Text(std::string text, bool markup = false);

    const std::string bytes;
    const size_t n_chars;
    const bool is_markup; ///< came from safe or escape: text that is joined to it by + or % gets its HTML escaped
    Charge charge;

    bool is_ascii() const { return n_chars == bytes.size(); }
};

/// Decimal text of an integer outside int64: an optional '-' and digits without leading zeros.
struct BigInteger {
    std::string digits;
};

class Value {
public:
    Value() : data_(nullptr) {} ///< none
    Value(std::nullptr_t) : data_(nullptr) {}
    Value(bool value) : data_(value) {}
    Value(int value) : data_(static_cast<int64_t>(value)) {}
    Value(int64_t value) : data_(value) {}
    Value(size_t value) : data_(static_cast<int64_t>(value)) {}
    Value(double value) : data_(value) {}
    Value(std::string text) : data_(std::make_shared<const Text>(std::move(text))) {}
    Value(std::string_view text) : Value(std::string(text)) {}
    Value(const char* text) : Value(std::string(text)) {}
    Value(std::shared_ptr<List> list) : data_(std::move(list)) {}
    Value(std::shared_ptr<Dict> dict) : data_(std::move(dict)) {}
    Value(std::shared_ptr<Object> object) : data_(std::move(object)) {}
    template<class T>
        requires std::is_base_of_v<Object, T>
    Value(std::shared_ptr<T> object) : data_(std::shared_ptr<Object>(std::move(object))) {}

    static Value undefined(std::string message);
    static Value markup(std::string text);
    static Value big(std::string digits); ///< any decimal text; becomes a plain integer when it fits
    static Value list(std::vector<Value> items);
    static Value tuple(std::vector<Value> items);

    Type type() const { return static_cast<Type>(data_.index()); }
    bool is_undefined() const { return type() == Type::undefined; }
    bool is_none() const { return type() == Type::none; }
    bool is_bool() const { return type() == Type::boolean; }
    bool is_string() const { return type() == Type::string; }
    bool is_markup() const { return is_string() && as_text().is_markup; }
    bool is_dict() const { return type() == Type::dict; }
    bool is_sequence_literal() const { return type() == Type::list; } ///< list or tuple
    bool is_list() const;
    bool is_tuple() const;
    bool is_integer() const; ///< int of any size or bool, as in Python
    bool is_number() const;  ///< the same or float

    bool as_bool() const { return std::get<bool>(data_); }
    double as_double() const { return std::get<double>(data_); }
    const std::string& as_string() const { return std::get<std::shared_ptr<const Text>>(data_)->bytes; }
    const Text& as_text() const { return *std::get<std::shared_ptr<const Text>>(data_); }
    const BigInteger& as_big() const { return *std::get<std::shared_ptr<const BigInteger>>(data_); }
    const Undefined& as_undefined() const { return *std::get<std::shared_ptr<const Undefined>>(data_); }
    const std::shared_ptr<List>& as_list() const { return std::get<std::shared_ptr<List>>(data_); }
    const std::shared_ptr<Dict>& as_dict() const { return std::get<std::shared_ptr<Dict>>(data_); }
    const std::shared_ptr<Object>& as_object() const { return std::get<std::shared_ptr<Object>>(data_); }
    /// Integer or bool as int64; nothing for everything else and for big integers.
    std::optional<int64_t> as_int() const;
    /// The object if it is a T.
    template<class T>
    std::shared_ptr<T> as() const {
        return type() == Type::object ? std::dynamic_pointer_cast<T>(as_object()) : nullptr;
    }

    bool truthy() const;
    /// Same object, as Python's `is`.
    bool is_same(const Value& other) const;
    /// Python's name of the type: 'str', 'dict', 'NoneType' ...
    std::string_view type_name() const;

private:
    std::variant<std::shared_ptr<const Undefined>, std::nullptr_t, bool, int64_t, std::shared_ptr<const BigInteger>,
                 double, std::shared_ptr<const Text>, std::shared_ptr<List>, std::shared_ptr<Dict>,
                 std::shared_ptr<Object>>
        data_;
};

/// A list, or a tuple when `is_tuple`.
struct List {
    explicit List(std::vector<Value> values, bool tuple = false);

    std::vector<Value> items;
    bool is_tuple;
    const char* const* field_names = nullptr; ///< named tuples of groupby: null-terminated, outlives the value
    int depth;                                ///< levels of nesting, so that no walk over a value runs out of stack
    Charge charge;
};

/// A dict in insertion order. Small ones are searched, larger ones have an index.
struct Dict {
    Dict() : charge(sizeof(Dict)) {}

    const std::vector<std::pair<Value, Value>>& entries() const { return entries_; }
    size_t size() const { return entries_.size(); }
    const Value* find(const Value& key) const;
    const Value* find_name(std::string_view key) const;
    void set(Value key, Value value); ///< keeps the place and the spelling of a key that is there
    bool erase(const Value& key);
    void clear();

    int depth = 1;

private:
    size_t position(size_t hash, const Value& key) const;
    void rebuild_index();

    std::vector<std::pair<Value, Value>> entries_;
    std::unordered_multimap<size_t, size_t> index_;
    Charge charge;
};

/// Arguments of a call as written: positional ones, then named ones.
struct Arguments {
    std::vector<Value> positional;
    std::vector<std::pair<std::string, Value>> keyword;
};

/// Everything that is neither data nor a number: functions, macros, namespaces, ranges, views, lazy sequences.
class Object : public std::enable_shared_from_this<Object> {
public:
    virtual ~Object() = default;

    virtual std::string_view type_name() const = 0;
    virtual std::string repr(Interpreter& in) const;
    virtual std::optional<Value> attribute(Interpreter& in, std::string_view name);
    virtual std::optional<Value> item(Interpreter& in, const Value& key);
    virtual std::optional<int64_t> length() const { return std::nullopt; }
    virtual bool truthy() const { return true; }
    virtual bool is_iterable() const { return false; }
    virtual std::vector<Value> iterate(Interpreter& in);
    virtual bool is_callable() const { return false; }
    virtual Value call(Interpreter& in, Arguments arguments);
    virtual bool is_sequence() const { return false; }
    virtual std::optional<bool> equals(const Value&) const { return std::nullopt; }
    /// Drops what it refers to, at the end of a render: objects that can refer to themselves are freed this way.
    virtual void release() {}

protected:
    Value self() { return shared_from_this(); }
};

/// Python's ==; never fails for data, throws Failure{limit} on endless nesting.
bool equals(const Value& a, const Value& b);
/// Python's ordering: negative, 0, positive; throws for types that have none. `operation` is for the message.
int compare(const Value& a, const Value& b, std::string_view operation = "<");
/// Throws for lists, dicts: "unhashable type".
size_t hash_of(const Value& value);
int depth_of(const Value& value);

/// Number of code points. Bytes that continue a character do not count.
size_t count_chars(std::string_view utf8);
/// Byte offset of code point `index` (or the end).
size_t byte_offset(const Text& text, size_t index);
/// The code points [first, last) of a text.
std::string substring(const Text& text, size_t first, size_t last);

} // namespace vkinfer::text::jinja
