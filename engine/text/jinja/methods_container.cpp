// Methods of list, tuple, dict and float. Those that change their object exist in lenient mode only.
#include "text/jinja/builtin.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/number.h"
#include "text/jinja/objects.h"

#include <algorithm>
#include <cmath>

namespace vkinfer::text::jinja {

namespace {

// list and tuple

Value list_count(BuiltinCall& call) {
    int64_t n = 0;
    charge_steps(call.self.as_list()->items.size());
    for (const Value& item : call.self.as_list()->items) n += equals(item, call.arg(0));
    return n;
}

Value list_index(BuiltinCall& call) {
    const auto& items = call.self.as_list()->items;
    const auto size = static_cast<int64_t>(items.size());
    const auto place = [&](size_t i, int64_t fallback) {
        const int64_t index = call.integer(i, fallback);
        return index < 0 ? std::max<int64_t>(index + size, 0) : index;
    };
    charge_steps(items.size());
    const int64_t end = std::min(place(2, size), size);
    for (int64_t i = place(1, 0); i < end; ++i) {
        if (equals(items[static_cast<size_t>(i)], call.arg(0))) return i;
    }
    throw Failure(call.in.repr(call.arg(0)) + " is not in list");
}

Value list_copy(BuiltinCall& call) {
    return Value::list(call.in.iterate(call.self));
}

/// The items of a list about to be changed. It may come to contain itself: the interpreter empties it at the end.
std::vector<Value>& changing(BuiltinCall& call) {
    call.in.keep_changed(call.self);
    return call.self.as_list()->items;
}

void add_to(BuiltinCall& call, size_t position, const Value& item) {
    List& list = *call.self.as_list();
    list.depth = std::max(list.depth, depth_of(item) + 1);
    if (list.depth > Limits{}.value_depth) throw Failure("lists and dicts are nested too deep", FailureKind::limit);
    list.charge.add(2 * sizeof(Value));
    charge_steps(1 + (list.items.size() - position) / 16);
    auto& items = changing(call);
    items.insert(items.begin() + static_cast<ptrdiff_t>(position), item);
}

Value list_append(BuiltinCall& call) {
    add_to(call, call.self.as_list()->items.size(), call.arg(0));
    return nullptr;
}

Value list_extend(BuiltinCall& call) {
    for (const Value& item : call.in.iterate(call.arg(0))) add_to(call, call.self.as_list()->items.size(), item);
    return nullptr;
}

Value list_insert(BuiltinCall& call) {
    const auto size = static_cast<int64_t>(call.self.as_list()->items.size());
    int64_t at = call.integer(0, 0);
    if (at < 0) at = std::max<int64_t>(at + size, 0);
    add_to(call, static_cast<size_t>(std::min(at, size)), call.arg(1));
    return nullptr;
}

Value list_pop(BuiltinCall& call) {
    auto& items = changing(call);
    if (items.empty()) throw Failure("pop from empty list");
    const auto size = static_cast<int64_t>(items.size());
    int64_t at = call.integer(0, -1);
    if (at < 0) at += size;
    if (at < 0 || at >= size) throw Failure("pop index out of range");
    charge_steps(1 + static_cast<uint64_t>(size - at) / 16);
    Value item = items[static_cast<size_t>(at)];
    items.erase(items.begin() + at);
    return item;
}

Value list_remove(BuiltinCall& call) {
    const Value at = list_index(call);
    auto& items = changing(call);
    items.erase(items.begin() + *at.as_int());
    return nullptr;
}

Value list_clear(BuiltinCall& call) {
    changing(call).clear();
    return nullptr;
}

Value list_reverse(BuiltinCall& call) {
    auto& items = changing(call);
    charge_steps(items.size());
    std::reverse(items.begin(), items.end());
    return nullptr;
}

Value list_sort(BuiltinCall& call) {
    std::vector<Value> items = call.self.as_list()->items;
    const bool reverse = call.flag(0, false);
    charge_steps(items.size() * 16);
    std::stable_sort(items.begin(), items.end(),
                     [&](const Value& a, const Value& b) { return reverse ? compare(a, b) > 0 : compare(a, b) < 0; });
    changing(call) = std::move(items);
    return nullptr;
}

// dict

Value dict_get(BuiltinCall& call) {
    const Value* value = call.self.as_dict()->find(call.arg(0));
    return value != nullptr ? *value : call.arg(1);
}
Value dict_items(BuiltinCall& call) {
    return std::make_shared<DictView>(call.self.as_dict(), DictView::What::items);
}
Value dict_keys(BuiltinCall& call) {
    return std::make_shared<DictView>(call.self.as_dict(), DictView::What::keys);
}
Value dict_values(BuiltinCall& call) {
    return std::make_shared<DictView>(call.self.as_dict(), DictView::What::values);
}

Value dict_copy(BuiltinCall& call) {
    auto copy = std::make_shared<Dict>();
    for (const auto& [key, value] : call.self.as_dict()->entries()) copy->set(key, value);
    return copy;
}

Value dict_update(BuiltinCall& call) {
    call.in.keep_changed(call.self);
    for (const Value& other : call.rest()) {
        if (!other.is_dict()) throw Failure("update() takes a dict");
        const auto entries = other.as_dict()->entries();
        for (const auto& [key, value] : entries) call.self.as_dict()->set(key, value);
    }
    for (auto& [name, value] : call.named()) call.self.as_dict()->set(name, std::move(value));
    return nullptr;
}

Value dict_pop(BuiltinCall& call) {
    call.in.keep_changed(call.self);
    const Value* found = call.self.as_dict()->find(call.arg(0));
    if (found == nullptr) {
        if (call.has(1)) return call.arg(1);
        throw Failure("KeyError: " + call.in.repr(call.arg(0)));
    }
    Value value = *found;
    call.self.as_dict()->erase(call.arg(0));
    return value;
}

Value dict_setdefault(BuiltinCall& call) {
    call.in.keep_changed(call.self);
    if (const Value* found = call.self.as_dict()->find(call.arg(0))) return *found;
    call.self.as_dict()->set(call.arg(0), call.arg(1));
    return call.arg(1);
}

Value dict_clear(BuiltinCall& call) {
    call.self.as_dict()->clear();
    return nullptr;
}

Value float_is_integer(BuiltinCall& call) {
    return std::isfinite(call.self.as_double()) && std::floor(call.self.as_double()) == call.self.as_double();
}

constexpr Builtin kList[] = {
    {.name = "count", .run = list_count, .parameters = {"value"}, .n_required = 1},
    {.name = "index", .run = list_index, .parameters = {"value", "start", "stop"}, .n_required = 1},
    {.name = "copy", .run = list_copy},
    {.name = "append", .run = list_append, .parameters = {"object"}, .n_required = 1, .mutates = true},
    {.name = "extend", .run = list_extend, .parameters = {"iterable"}, .n_required = 1, .mutates = true},
    {.name = "insert", .run = list_insert, .parameters = {"index", "object"}, .n_required = 2, .mutates = true},
    {.name = "pop", .run = list_pop, .parameters = {"index"}, .mutates = true},
    {.name = "remove", .run = list_remove, .parameters = {"value"}, .n_required = 1, .mutates = true},
    {.name = "clear", .run = list_clear, .mutates = true},
    {.name = "reverse", .run = list_reverse, .mutates = true},
    {.name = "sort", .run = list_sort, .parameters = {"reverse"}, .mutates = true},
};

constexpr Builtin kTuple[] = {
    {.name = "count", .run = list_count, .parameters = {"value"}, .n_required = 1},
    {.name = "index", .run = list_index, .parameters = {"value", "start", "stop"}, .n_required = 1},
};

constexpr Builtin kDict[] = {
    {.name = "get", .run = dict_get, .parameters = {"key", "default"}, .n_required = 1},
    {.name = "items", .run = dict_items},
    {.name = "keys", .run = dict_keys},
    {.name = "values", .run = dict_values},
    {.name = "copy", .run = dict_copy},
    {.name = "update", .run = dict_update, .takes_more = true, .mutates = true},
    {.name = "pop", .run = dict_pop, .parameters = {"key", "default"}, .n_required = 1, .mutates = true},
    {.name = "setdefault", .run = dict_setdefault, .parameters = {"key", "default"}, .n_required = 1, .mutates = true},
    {.name = "clear", .run = dict_clear, .mutates = true},
};

constexpr Builtin kFloat[] = {
    {.name = "is_integer", .run = float_is_integer},
};

} // namespace

std::span<const Builtin> list_methods() {
    return kList;
}
std::span<const Builtin> tuple_methods() {
    return kTuple;
}
std::span<const Builtin> dict_methods() {
    return kDict;
}
std::span<const Builtin> float_methods() {
    return kFloat;
}

} // namespace vkinfer::text::jinja
