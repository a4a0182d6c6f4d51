// Values: construction, truth, equality, order, hashing and the ordered dict.
#include "text/jinja/value.h"

#include "text/jinja/number.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

namespace vkinfer::text::jinja {

namespace {

constexpr int kMaxValueDepth = Limits{}.value_depth;
constexpr size_t kIndexFrom = 12; // dicts of fewer entries are searched one by one

int checked_depth(int depth) {
    if (depth > kMaxValueDepth) throw Failure("lists and dicts are nested too deep", FailureKind::limit);
    return depth;
}

size_t hash_double(double number) {
    if (number == std::floor(number) && std::abs(number) < 9.2e18) {
        return std::hash<int64_t>()(static_cast<int64_t>(number));
    }
    return std::hash<double>()(number);
}

[[noreturn]] void not_ordered(const Value& a, const Value& b, std::string_view operation) {
    for (const Value* value : {&a, &b}) {
        if (value->is_undefined()) throw Failure(value->as_undefined().message);
    }
    throw Failure("'" + std::string(operation) + "' not supported between instances of '" + std::string(a.type_name()) +
                  "' and '" + std::string(b.type_name()) + "'");
}

} // namespace

Text::Text(std::string text, bool markup)
    : bytes(std::move(text)), n_chars(count_chars(bytes)), is_markup(markup), charge(sizeof(Text) + bytes.capacity()) {}

List::List(std::vector<Value> values, bool tuple)
    : items(std::move(values)), is_tuple(tuple), depth(1), charge(sizeof(List) + items.capacity() * sizeof(Value)) {
    for (const Value& item : items) depth = std::max(depth, depth_of(item) + 1);
    checked_depth(depth);
}

Value Value::undefined(std::string message) {
    Value value;
    value.data_ = std::make_shared<const Undefined>(Undefined{std::move(message)});
    return value;
}

Value Value::markup(std::string text) {
    Value value;
    value.data_ = std::make_shared<const Text>(std::move(text), true);
    return value;
}

Value Value::big(std::string digits) {
    if (const auto small = parse_int64(digits)) return *small;
    Value value;
    value.data_ = std::make_shared<const BigInteger>(BigInteger{std::move(digits)});
    return value;
}

Value Value::list(std::vector<Value> items) {
    return std::make_shared<List>(std::move(items));
}

Value Value::tuple(std::vector<Value> items) {
    return std::make_shared<List>(std::move(items), true);
}

bool Value::is_list() const {
    return type() == Type::list && !as_list()->is_tuple;
}

bool Value::is_tuple() const {
    return type() == Type::list && as_list()->is_tuple;
}

bool Value::is_integer() const {
    return type() == Type::integer || type() == Type::boolean || type() == Type::big_integer;
}

bool Value::is_number() const {
    return is_integer() || type() == Type::floating;
}

std::optional<int64_t> Value::as_int() const {
    if (const auto* integer = std::get_if<int64_t>(&data_)) return *integer;
    if (const auto* boolean = std::get_if<bool>(&data_)) return *boolean ? 1 : 0;
    return std::nullopt;
}

bool Value::truthy() const {
    switch (type()) {
    case Type::undefined:
    case Type::none:
        return false;
    case Type::boolean:
        return as_bool();
    case Type::integer:
        return std::get<int64_t>(data_) != 0;
    case Type::big_integer:
        return true;
    case Type::floating:
        return as_double() != 0.0;
    case Type::string:
        return !as_string().empty();
    case Type::list:
        return !as_list()->items.empty();
    case Type::dict:
        return as_dict()->size() != 0;
    case Type::object:
        return as_object()->truthy();
    }
    return false;
}

bool Value::is_same(const Value& other) const {
    if (type() != other.type()) return false;
    switch (type()) {
    case Type::list:
        return as_list() == other.as_list();
    case Type::dict:
        return as_dict() == other.as_dict();
    case Type::object:
        return as_object() == other.as_object();
    default:
        return equals(*this, other); // Python shares small integers and most short strings
    }
}

std::string_view Value::type_name() const {
    switch (type()) {
    case Type::undefined:
        return "Undefined";
    case Type::none:
        return "NoneType";
    case Type::boolean:
        return "bool";
    case Type::integer:
    case Type::big_integer:
        return "int";
    case Type::floating:
        return "float";
    case Type::string:
        return as_text().is_markup ? "Markup" : "str";
    case Type::list:
        return as_list()->is_tuple ? "tuple" : "list";
    case Type::dict:
        return "dict";
    case Type::object:
        return as_object()->type_name();
    }
    return "object";
}

int depth_of(const Value& value) {
    if (value.type() == Type::list) return value.as_list()->depth;
    if (value.type() == Type::dict) return value.as_dict()->depth;
    return 0;
}

bool equals(const Value& a, const Value& b) {
    StackGuard::check();
    if (a.is_number() && b.is_number()) return compare_numbers(a, b) == std::partial_ordering::equivalent;
    if (a.type() == Type::object) {
        if (const auto result = a.as_object()->equals(b)) return *result;
    }
    if (a.type() != b.type()) return false;
    switch (a.type()) {
    case Type::undefined:
    case Type::none:
        return true;
    case Type::string:
        return a.as_string() == b.as_string();
    case Type::list: {
        const List& x = *a.as_list();
        const List& y = *b.as_list();
        if (&x == &y) return true;
        if (x.is_tuple != y.is_tuple || x.items.size() != y.items.size()) return false;
        charge_steps(x.items.size());
        for (size_t i = 0; i < x.items.size(); ++i) {
            if (!equals(x.items[i], y.items[i])) return false;
        }
        return true;
    }
    case Type::dict: {
        const Dict& x = *a.as_dict();
        const Dict& y = *b.as_dict();
        if (&x == &y) return true;
        if (x.size() != y.size()) return false;
        charge_steps(x.size());
        for (const auto& [key, value] : x.entries()) {
            const Value* other = y.find(key);
            if (other == nullptr || !equals(value, *other)) return false;
        }
        return true;
    }
    case Type::object:
        return a.as_object() == b.as_object();
    default:
        return false;
    }
}

int compare(const Value& a, const Value& b, std::string_view operation) {
    StackGuard::check();
    if (a.is_number() && b.is_number()) {
        const auto order = compare_numbers(a, b);
        return order < 0 ? -1 : order > 0 ? 1 : 0;
    }
    if (a.is_string() && b.is_string()) return a.as_string().compare(b.as_string()); // UTF-8 sorts as code points
    if (a.type() == Type::list && b.type() == Type::list && a.is_tuple() == b.is_tuple()) {
        const auto& x = a.as_list()->items;
        const auto& y = b.as_list()->items;
        for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
            charge_steps(1);
            if (!equals(x[i], y[i])) return compare(x[i], y[i], operation);
        }
        return x.size() < y.size() ? -1 : x.size() > y.size() ? 1 : 0;
    }
    not_ordered(a, b, operation);
}

size_t hash_of(const Value& value) {
    StackGuard::check();
    charge_steps(value.is_string() ? value.as_string().size() / 64 : 1);
    switch (value.type()) {
    case Type::undefined:
        return 1;
    case Type::none:
        return 2;
    case Type::boolean:
    case Type::integer:
        return std::hash<int64_t>()(*value.as_int());
    case Type::floating:
        return hash_double(value.as_double());
    case Type::big_integer:
        return hash_double(to_double(value)); // equal numbers of either kind meet
    case Type::string:
        return std::hash<std::string>()(value.as_string());
    case Type::list:
        if (value.is_tuple()) {
            size_t hash = 3;
            for (const Value& item : value.as_list()->items) hash = std::rotl(hash, 5) ^ hash_of(item);
            return hash;
        }
        throw Failure("unhashable type: 'list'");
    case Type::dict:
        throw Failure("unhashable type: 'dict'");
    case Type::object:
        return std::hash<const Object*>()(value.as_object().get());
    }
    return 0;
}

const Value* Dict::find(const Value& key) const {
    const size_t at = position(hash_of(key), key);
    return at < entries_.size() ? &entries_[at].second : nullptr;
}

const Value* Dict::find_name(std::string_view key) const {
    if (index_.empty()) {
        for (const auto& [name, value] : entries_) {
            if (name.is_string() && name.as_string() == key) return &value;
        }
        return nullptr;
    }
    return find(Value(key));
}

size_t Dict::position(size_t hash, const Value& key) const {
    if (index_.empty()) {
        for (size_t i = 0; i < entries_.size(); ++i) {
            if (equals(entries_[i].first, key)) return i;
        }
        return entries_.size();
    }
    const auto [first, last] = index_.equal_range(hash);
    for (auto it = first; it != last; ++it) {
        charge_steps(1);
        if (equals(entries_[it->second].first, key)) return it->second;
    }
    return entries_.size();
}

void Dict::set(Value key, Value value) {
    const size_t hash = hash_of(key);
    depth = checked_depth(std::max({depth, depth_of(key) + 1, depth_of(value) + 1}));
    const size_t at = position(hash, key);
    if (at < entries_.size()) {
        entries_[at].second = std::move(value);
        return;
    }
    charge.add(2 * sizeof(std::pair<Value, Value>) + 48); // the entry (vectors double) and its place in the index
    entries_.emplace_back(std::move(key), std::move(value));
    if (entries_.size() == kIndexFrom) {
        rebuild_index();
    } else if (entries_.size() > kIndexFrom) {
        index_.emplace(hash, entries_.size() - 1);
    }
}

bool Dict::erase(const Value& key) {
    const size_t at = position(hash_of(key), key);
    if (at == entries_.size()) return false;
    charge_steps(entries_.size());
    entries_.erase(entries_.begin() + static_cast<ptrdiff_t>(at));
    rebuild_index();
    return true;
}

void Dict::clear() {
    entries_.clear();
    index_.clear();
}

void Dict::rebuild_index() {
    index_.clear();
    if (entries_.size() < kIndexFrom) return;
    for (size_t i = 0; i < entries_.size(); ++i) index_.emplace(hash_of(entries_[i].first), i);
}

std::string Object::repr(Interpreter&) const {
    return "<" + std::string(type_name()) + " object>";
}

std::optional<Value> Object::attribute(Interpreter&, std::string_view) {
    return std::nullopt;
}

std::optional<Value> Object::item(Interpreter&, const Value&) {
    return std::nullopt;
}

std::vector<Value> Object::iterate(Interpreter&) {
    throw Failure("'" + std::string(type_name()) + "' object is not iterable");
}

Value Object::call(Interpreter&, Arguments) {
    throw Failure("'" + std::string(type_name()) + "' object is not callable");
}

size_t count_chars(std::string_view utf8) {
    size_t n = 0;
    for (const char byte : utf8) n += (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
    return n;
}

size_t byte_offset(const Text& text, size_t index) {
    if (index >= text.n_chars) return text.bytes.size();
    if (text.is_ascii()) return index;
    charge_steps(1 + index / 64);
    size_t seen = 0;
    for (size_t at = 0; at < text.bytes.size(); ++at) {
        if ((static_cast<unsigned char>(text.bytes[at]) & 0xC0) == 0x80) continue;
        if (seen++ == index) return at;
    }
    return text.bytes.size();
}

std::string substring(const Text& text, size_t first, size_t last) {
    const size_t from = byte_offset(text, first);
    const size_t to = byte_offset(text, last);
    return from < to ? text.bytes.substr(from, to - from) : std::string();
}

} // namespace vkinfer::text::jinja
