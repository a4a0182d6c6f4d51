// JSON in both directions.
#include "text/jinja/json.h"

#include "text/jinja/number.h"
#include "text/jinja/objects.h"
#include "text/jinja/unicode.h"

#include <boost/json/basic_parser_impl.hpp>

#include <algorithm>
#include <cmath>

namespace vkinfer::text::jinja {

namespace {

/// Builds values from the events of Boost's parser. Numbers are taken from their text, since Boost's own integers end
/// at 64 bits and its doubles need not be the nearest.
struct ValueBuilder {
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
    using Code = boost::system::error_code;
    using View = boost::json::string_view;

    struct Open {
        std::shared_ptr<Dict> dict; // null: a list
        std::vector<Value> items;
        std::string key;
    };
    std::vector<Open> open;
    std::string text; // the string or number being read
    Value result;

    void add(Value value) {
        if (open.empty())
            result = std::move(value);
        else if (open.back().dict)
            open.back().dict->set(open.back().key, std::move(value));
        else
            open.back().items.push_back(std::move(value));
    }
    void add_number(View last_part) {
        text.append(last_part.data(), last_part.size());
        const bool is_float = text.find_first_of(".eE") != std::string::npos;
        if (is_float)
            add(*parse_float(text));
        else if (text == "-0")
            add(0);
        else
            add(parse_integer(text).value_or(nullptr));
        text.clear();
    }

    bool on_document_begin(Code&) { return true; }
    bool on_document_end(Code&) { return true; }
    bool on_object_begin(Code&) {
        open.push_back({std::make_shared<Dict>(), {}, {}});
        return true;
    }
    bool on_object_end(std::size_t, Code&) {
        Value value = std::move(open.back().dict);
        open.pop_back();
        add(std::move(value));
        return true;
    }
    bool on_array_begin(Code&) {
        open.emplace_back();
        return true;
    }
    bool on_array_end(std::size_t, Code&) {
        Value value = Value::list(std::move(open.back().items));
        open.pop_back();
        add(std::move(value));
        return true;
    }
    bool on_key_part(View part, std::size_t, Code&) {
        text.append(part.data(), part.size());
        return true;
    }
    bool on_key(View part, std::size_t, Code&) {
        text.append(part.data(), part.size());
        open.back().key = std::exchange(text, {});
        return true;
    }
    bool on_string_part(View part, std::size_t, Code&) {
        text.append(part.data(), part.size());
        return true;
    }
    bool on_string(View part, std::size_t, Code&) {
        text.append(part.data(), part.size());
        add(Value(std::exchange(text, {})));
        return true;
    }
    bool on_number_part(View part, Code&) {
        text.append(part.data(), part.size());
        return true;
    }
    bool on_int64(std::int64_t, View part, Code&) { return add_number(part), true; }
    bool on_uint64(std::uint64_t, View part, Code&) { return add_number(part), true; }
    bool on_double(double, View part, Code&) { return add_number(part), true; }
    bool on_bool(bool value, Code&) { return add(value), true; }
    bool on_null(Code&) { return add(nullptr), true; }
    bool on_comment_part(View, Code&) { return true; }
    bool on_comment(View, Code&) { return true; }
};

class Writer {
public:
    Writer(Interpreter& in, const JsonStyle& style) : in_(in), style_(style) {}

    std::string take() { return std::move(out_); }

    void write(const Value& value) {
        StackGuard::check();
        charge_steps(1);
        switch (value.type()) {
        case Type::none:
            out_ += "null";
            return;
        case Type::boolean:
            out_ += value.as_bool() ? "true" : "false";
            return;
        case Type::integer:
        case Type::big_integer:
            out_ += integer_text(value);
            return;
        case Type::floating:
            out_ += number_text(value.as_double());
            return;
        case Type::string:
            write_string(value.as_string());
            return;
        case Type::list:
            write_list(value.as_list()->items);
            return;
        case Type::dict:
            write_dict(*value.as_dict());
            return;
        case Type::object:
            if (in_.options().lenient && value.as_object()->is_iterable()) return write_list(in_.iterate(value));
            break;
        case Type::undefined:
            break;
        }
        throw Failure("Object of type " + std::string(value.type_name()) + " is not JSON serializable");
    }

private:
    static std::string number_text(double number) {
        if (std::isnan(number)) return "NaN";
        if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
        return float_repr(number);
    }

    void new_line() {
        if (!style_.indent) return;
        in_.check_size(out_.size() + style_.indent->size() * static_cast<size_t>(level_));
        charge_steps(static_cast<uint64_t>(level_));
        out_ += '\n';
        for (int i = 0; i < level_; ++i) out_ += *style_.indent;
    }

    void write_string(const std::string& text) {
        in_.check_size(out_.size() + text.size());
        charge_steps(text.size() / 16);
        append_json_string(out_, text, style_.ensure_ascii);
    }

    void write_list(const std::vector<Value>& items) {
        out_ += '[';
        ++level_;
        for (size_t i = 0; i < items.size(); ++i) {
            if (i != 0) out_ += style_.item_separator;
            new_line();
            write(items[i]);
        }
        --level_;
        if (!items.empty()) new_line();
        out_ += ']';
    }

    std::string key_text(const Value& key) const {
        if (key.is_string()) return key.as_string();
        if (key.is_none()) return "null";
        if (key.is_bool()) return key.as_bool() ? "true" : "false";
        if (key.is_integer()) return integer_text(key);
        if (key.type() == Type::floating) return number_text(key.as_double());
        throw Failure("keys must be str, int, float, bool or None, not " + std::string(key.type_name()));
    }

    void write_dict(const Dict& dict) {
        std::vector<const std::pair<Value, Value>*> entries;
        for (const auto& entry : dict.entries()) entries.push_back(&entry);
        if (style_.sort_keys) {
            charge_steps(entries.size() * 8);
            std::stable_sort(entries.begin(), entries.end(),
                             [](const auto* a, const auto* b) { return compare(a->first, b->first) < 0; });
        }
        out_ += '{';
        ++level_;
        bool is_first = true;
        for (const auto* entry : entries) {
            if (!is_first) out_ += style_.item_separator;
            is_first = false;
            new_line();
            write_string(key_text(entry->first));
            out_ += style_.key_separator;
            write(entry->second);
        }
        --level_;
        if (!entries.empty()) new_line();
        out_ += '}';
    }

    Interpreter& in_;
    const JsonStyle& style_;
    std::string out_;
    int level_ = 0;
};

} // namespace

void append_json_string(std::string& out, std::string_view text, bool ensure_ascii) {
    const auto escape = [&](char32_t unit) {
        out += "\\u";
        for (int shift = 12; shift >= 0; shift -= 4) out += "0123456789abcdef"[(unit >> shift) & 15];
    };
    out += '"';
    for (size_t at = 0; at < text.size();) {
        const char32_t c = next_char(text, at);
        switch (c) {
        case '"':
            out += "\\\"";
            break;
        case '\\':
            out += "\\\\";
            break;
        case '\n':
            out += "\\n";
            break;
        case '\r':
            out += "\\r";
            break;
        case '\t':
            out += "\\t";
            break;
        case '\b':
            out += "\\b";
            break;
        case '\f':
            out += "\\f";
            break;
        default:
            if (c < 0x20 || (ensure_ascii && c > 0x7E && c < 0x10000)) {
                escape(c);
            } else if (ensure_ascii && c >= 0x10000) {
                escape(0xD800 + ((c - 0x10000) >> 10));
                escape(0xDC00 + ((c - 0x10000) & 0x3FF));
            } else {
                append_char(out, c);
            }
        }
    }
    out += '"';
}

Value parse_json(std::string_view text) {
    boost::json::parse_options options;
    options.max_depth = kMaxJsonDepth;
    boost::json::basic_parser<ValueBuilder> parser(options);
    boost::system::error_code error;
    charge_steps(text.size() / 16);
    const size_t used = parser.write_some(false, text.data(), text.size(), error);
    if (!error && used < text.size() && !strip(text.substr(used)).empty()) error = boost::json::error::extra_data;
    if (error) throw Failure("invalid JSON at byte " + std::to_string(used) + ": " + error.message());
    return std::move(parser.handler().result);
}

std::string write_json(Interpreter& in, const Value& value, const JsonStyle& style) {
    Writer writer(in, style);
    writer.write(value);
    return writer.take();
}

} // namespace vkinfer::text::jinja
