// Filters on sequences. Those that Python makes lazy stay lazy: they fail, if at all, when they are consumed.
#include "text/jinja/builtin.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/number.h"
#include "text/jinja/objects.h"
#include "text/jinja/unicode.h"

#include <algorithm>
#include <cmath>

namespace vkinfer::text::jinja {

namespace {

constexpr const char* const kGroupFields[] = {"grouper", "list", nullptr};

Value lazy(LazySequence::Source source, std::string_view type = "generator") {
    return std::make_shared<LazySequence>(std::move(source), type);
}

Value fold_case(const Value& value, bool case_sensitive) {
    return value.is_string() && !case_sensitive ? Value(to_lower(value.as_string())) : value;
}

/// A path such as "function.name" or "0.x", followed item by item; `fallback` replaces what is undefined on the way.
class Getter {
public:
    Getter(const Value& attribute, std::optional<Value> fallback = {}) : fallback_(std::move(fallback)) {
        if (!attribute.is_string()) {
            if (!attribute.is_none()) path_.push_back(attribute);
            return;
        }
        const std::string& text = attribute.as_string();
        for (size_t at = 0; at <= text.size();) {
            const size_t dot = std::min(text.find('.', at), text.size());
            const std::string part = text.substr(at, dot - at);
            const bool is_index = !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
            const auto index = is_index ? parse_int64(part) : std::nullopt;
            path_.push_back(index ? Value(*index) : Value(part));
            at = dot + 1;
        }
    }

    Value operator()(Interpreter& in, Value item) const {
        for (const Value& part : path_) {
            item = in.get_item(item, part);
            if (fallback_ && item.is_undefined()) item = *fallback_;
        }
        return item;
    }

private:
    std::vector<Value> path_;
    std::optional<Value> fallback_;
};

Value join(BuiltinCall& call) {
    const std::string separator = call.has(0) ? call.printed(0) : "";
    const Getter get(call.arg(1));
    std::string out;
    bool is_first = true;
    for (const Value& item : call.in.iterate(call.self)) {
        if (!is_first) out += separator;
        is_first = false;
        const std::string piece = call.in.to_text(get(call.in, item));
        charge_steps(piece.size() / 64);
        call.in.check_size(out.size() + piece.size());
        out += piece;
    }
    return out;
}

Value list(BuiltinCall& call) {
    return Value::list(call.in.iterate(call.self));
}

Value first(BuiltinCall& call) {
    if (call.self.is_string() && !call.self.as_string().empty()) return call.in.get_item(call.self, 0);
    if (call.self.is_sequence_literal() && !call.self.as_list()->items.empty()) return call.self.as_list()->items[0];
    if (const auto sequence = call.self.as<LazySequence>()) {
        if (auto item = sequence->next(call.in)) return std::move(*item);
    } else {
        const std::vector<Value> items = call.in.iterate(call.self);
        if (!items.empty()) return items[0];
    }
    return Value::undefined("No first item, sequence was empty.");
}

Value last(BuiltinCall& call) {
    if (call.self.is_string() && !call.self.as_string().empty()) return call.in.get_item(call.self, -1);
    if (call.self.as<LazySequence>())
        throw Failure("'" + std::string(call.self.type_name()) + "' object is not reversible");
    const std::vector<Value> items = call.in.iterate(call.self);
    return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}

Value reverse(BuiltinCall& call) {
    if (call.self.is_string()) {
        std::u32string text = decode(call.self.as_string());
        std::reverse(text.begin(), text.end());
        return encode(text);
    }
    if (call.self.type() == Type::object && !call.self.as_object()->is_iterable())
        throw Failure("argument must be iterable");
    if (call.self.as<LazySequence>()) { // not reversible in Python, so that Jinja makes a list at once
        std::vector<Value> items = call.in.iterate(call.self);
        std::reverse(items.begin(), items.end());
        return Value::list(std::move(items));
    }
    if (!call.self.is_undefined() && call.self.type() != Type::object && !call.self.is_sequence_literal() &&
        !call.self.is_dict()) {
        throw Failure("argument must be iterable");
    }
    return lazy(
        [source = call.self](Interpreter& in) {
            std::vector<Value> items = in.iterate(source);
            std::reverse(items.begin(), items.end());
            return items;
        },
        "list_reverseiterator");
}

Value map(BuiltinCall& call) {
    if (call.rest().empty()) {
        Value attribute;
        std::optional<Value> fallback;
        for (auto& [name, value] : call.named()) {
            if (name == "attribute")
                attribute = std::move(value);
            else if (name == "default")
                fallback = value.is_none() ? std::nullopt : std::optional(std::move(value));
            else
                throw Failure("Unexpected keyword argument '" + name + "'");
        }
        if (attribute.is_none()) throw Failure("map requires a filter argument");
        return lazy([source = call.self, get = Getter(attribute, std::move(fallback))](Interpreter& in) {
            if (!source.truthy()) return std::vector<Value>(); // none is empty here, as in Jinja
            std::vector<Value> items = in.iterate(source);
            for (Value& item : items) item = get(in, std::move(item));
            return items;
        });
    }
    return lazy([source = call.self, name = call.in.to_text(call.rest()[0]),
                 arguments = Arguments{{call.rest().begin() + 1, call.rest().end()}, call.named()}](Interpreter& in) {
        if (!source.truthy()) return std::vector<Value>();
        const Builtin* filter = find_filter(name);
        if (filter == nullptr || (filter->lenient_only && !in.options().lenient)) {
            throw Failure("No filter named '" + name + "'.");
        }
        std::vector<Value> items = in.iterate(source);
        for (Value& item : items) {
            charge_steps(1);
            item = call_builtin(in, *filter, std::move(item), arguments);
        }
        return items;
    });
}

/// select, reject, selectattr, rejectattr: the items for which a test (truth without one) says `wanted`.
Value filter_items(BuiltinCall& call, bool by_attribute, bool wanted) {
    auto& rest = call.rest();
    if (by_attribute && rest.empty()) throw Failure("Missing parameter for attribute name");
    const Getter get(by_attribute ? rest[0] : Value());
    if (by_attribute) rest.erase(rest.begin());
    const std::string test_name = rest.empty() ? "" : call.in.to_text(rest[0]);
    if (!rest.empty()) rest.erase(rest.begin());
    return lazy(
        [source = call.self, get, test_name, wanted, arguments = Arguments{rest, call.named()}](Interpreter& in) {
            if (!source.truthy()) return std::vector<Value>();
            const Builtin* test = test_name.empty() ? nullptr : find_test(test_name);
            if (test == nullptr && !test_name.empty()) throw Failure("No test named '" + test_name + "'.");
            std::vector<Value> out;
            for (Value& item : in.iterate(source)) {
                charge_steps(1);
                const Value subject = get(in, item);
                const bool passes = test == nullptr ? subject.truthy() : in.run_test(*test, subject, arguments);
                if (passes == wanted) out.push_back(std::move(item));
            }
            return out;
        });
}
Value select(BuiltinCall& call) {
    return filter_items(call, false, true);
}
Value reject(BuiltinCall& call) {
    return filter_items(call, false, false);
}
Value selectattr(BuiltinCall& call) {
    return filter_items(call, true, true);
}
Value rejectattr(BuiltinCall& call) {
    return filter_items(call, true, false);
}

struct Keyed {
    Value key, item;
};

std::vector<Keyed> keyed(Interpreter& in, std::vector<Value> items, const Getter& get, bool case_sensitive) {
    std::vector<Keyed> out;
    out.reserve(items.size());
    charge_steps(items.size() * 16); // n log n comparisons follow
    for (Value& item : items) {
        Value key = fold_case(get(in, item), case_sensitive);
        out.push_back({std::move(key), std::move(item)});
    }
    return out;
}

void sort_keyed(std::vector<Keyed>& rows, bool reverse) {
    std::stable_sort(rows.begin(), rows.end(), [&](const Keyed& a, const Keyed& b) {
        const int order = compare(a.key, b.key);
        return reverse ? order > 0 : order < 0;
    });
}

Value sort(BuiltinCall& call) {
    const bool reverse = call.flag(0, false);
    const bool case_sensitive = call.flag(1, false);
    std::vector<Getter> getters; // "a,b": by a, then by b
    if (call.arg(2).is_string()) {
        const std::string& attributes = call.arg(2).as_string();
        for (size_t at = 0; at <= attributes.size();) {
            const size_t comma = std::min(attributes.find(',', at), attributes.size());
            getters.emplace_back(Value(attributes.substr(at, comma - at)));
            at = comma + 1;
        }
    } else {
        getters.emplace_back(call.arg(2));
    }
    std::vector<Keyed> rows;
    for (Value& item : call.in.iterate(call.self)) {
        charge_steps(16); // n log n comparisons follow
        // The key is a sequence even for one attribute, so that keys without an order can be equal, as in Jinja.
        std::vector<Value> key;
        for (const Getter& get : getters) key.push_back(fold_case(get(call.in, item), case_sensitive));
        rows.push_back({Value::tuple(std::move(key)), std::move(item)});
    }
    sort_keyed(rows, reverse);
    std::vector<Value> sorted;
    for (Keyed& row : rows) sorted.push_back(std::move(row.item));
    return Value::list(std::move(sorted));
}

Value extreme(BuiltinCall& call, bool greatest) {
    std::vector<Keyed> rows = keyed(call.in, call.in.iterate(call.self), Getter(call.arg(1)), call.flag(0, false));
    if (rows.empty()) return Value::undefined("No aggregated item, sequence was empty.");
    size_t best = 0;
    for (size_t i = 1; i < rows.size(); ++i) {
        const int order = compare(rows[i].key, rows[best].key, greatest ? ">" : "<");
        if (greatest ? order > 0 : order < 0) best = i;
    }
    return rows[best].item;
}
Value min(BuiltinCall& call) {
    return extreme(call, false);
}
Value max(BuiltinCall& call) {
    return extreme(call, true);
}

Value sum(BuiltinCall& call) {
    const Getter get(call.arg(0));
    Value total = call.arg_or(1, 0);
    if (total.is_string()) throw Failure("sum() can't sum strings [use ''.join(seq) instead]");
    for (const Value& item : call.in.iterate(call.self)) total = call.in.binary("+", total, get(call.in, item));
    return total;
}

Value unique(BuiltinCall& call) {
    return lazy([source = call.self, case_sensitive = call.flag(0, false), get = Getter(call.arg(1))](Interpreter& in) {
        Dict seen;
        std::vector<Value> out;
        for (Value& item : in.iterate(source)) {
            const Value key = fold_case(get(in, item), case_sensitive);
            if (seen.find(key) != nullptr) continue;
            seen.set(key, true);
            out.push_back(std::move(item));
        }
        return out;
    });
}

Value groupby(BuiltinCall& call) {
    const std::optional<Value> fallback =
        call.has(1) && !call.arg(1).is_none() ? std::optional(call.arg(1)) : std::nullopt;
    const bool case_sensitive = call.flag(2, false);
    const Getter get(call.arg(0), fallback);
    std::vector<Keyed> rows = keyed(call.in, call.in.iterate(call.self), get, case_sensitive);
    sort_keyed(rows, false);
    std::vector<Value> groups;
    for (size_t i = 0; i < rows.size();) {
        const Value key = get(call.in, rows[i].item); // as the first one of the group spells it
        std::vector<Value> members;
        const size_t start = i;
        while (i < rows.size() && equals(rows[i].key, rows[start].key)) members.push_back(std::move(rows[i++].item));
        if (members.empty()) members.push_back(std::move(rows[i++].item)); // NaN equals nothing
        auto group = std::make_shared<List>(std::vector<Value>{key, Value::list(std::move(members))}, true);
        group->field_names = kGroupFields;
        groups.emplace_back(std::move(group));
    }
    return Value::list(std::move(groups));
}

Value batch(BuiltinCall& call) {
    const int64_t size = call.integer(0, 1);
    return lazy([source = call.self, size, fill = call.arg(1)](Interpreter& in) {
        std::vector<Value> out, row;
        for (Value& item : in.iterate(source)) {
            if (static_cast<int64_t>(row.size()) == size) out.push_back(Value::list(std::exchange(row, {})));
            row.push_back(std::move(item));
        }
        if (!row.empty()) {
            if (!fill.is_none() && size > static_cast<int64_t>(row.size())) {
                in.check_size(static_cast<size_t>(size) * sizeof(Value));
                row.resize(static_cast<size_t>(size), fill);
            }
            out.push_back(Value::list(std::move(row)));
        }
        return out;
    });
}

Value slice(BuiltinCall& call) {
    const int64_t n_slices = call.integer(0, 1);
    return lazy([source = call.self, n_slices, fill = call.arg(1)](Interpreter& in) {
        const std::vector<Value> items = in.iterate(source);
        if (n_slices == 0) throw Failure("integer division or modulo by zero");
        std::vector<Value> out;
        const auto n = static_cast<int64_t>(items.size());
        if (n_slices > kMaxRange) throw Failure("too many slices", FailureKind::limit);
        charge_steps(n_slices > 0 ? static_cast<uint64_t>(n_slices) : 0);
        const int64_t each = n_slices > 0 ? n / n_slices : 0;
        const int64_t longer = n_slices > 0 ? n % n_slices : 0;
        int64_t at = 0;
        for (int64_t i = 0; i < n_slices; ++i) {
            const int64_t size = each + (i < longer ? 1 : 0);
            std::vector<Value> part(items.begin() + at, items.begin() + at + size);
            at += size;
            if (!fill.is_none() && i >= longer && longer != 0) part.push_back(fill);
            out.push_back(Value::list(std::move(part)));
        }
        return out;
    });
}

constexpr Builtin kFilters[] = {
    {.name = "join", .run = join, .parameters = {"d", "attribute"}},
    {.name = "list", .run = list},
    {.name = "first", .run = first},
    {.name = "last", .run = last},
    {.name = "reverse", .run = reverse},
    {.name = "map", .run = map, .takes_more = true},
    {.name = "select", .run = select, .takes_more = true},
    {.name = "reject", .run = reject, .takes_more = true},
    {.name = "selectattr", .run = selectattr, .takes_more = true},
    {.name = "rejectattr", .run = rejectattr, .takes_more = true},
    {.name = "sort", .run = sort, .parameters = {"reverse", "case_sensitive", "attribute"}},
    {.name = "min", .run = min, .parameters = {"case_sensitive", "attribute"}},
    {.name = "max", .run = max, .parameters = {"case_sensitive", "attribute"}},
    {.name = "sum", .run = sum, .parameters = {"attribute", "start"}},
    {.name = "unique", .run = unique, .parameters = {"case_sensitive", "attribute"}},
    {.name = "groupby", .run = groupby, .parameters = {"attribute", "default", "case_sensitive"}, .n_required = 1},
    {.name = "batch", .run = batch, .parameters = {"linecount", "fill_with"}, .n_required = 1},
    {.name = "slice", .run = slice, .parameters = {"slices", "fill_with"}, .n_required = 1},
};

} // namespace

std::span<const Builtin> sequence_filters() {
    return kFilters;
}

} // namespace vkinfer::text::jinja
