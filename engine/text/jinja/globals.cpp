// Global functions.
#include "text/jinja/builtin.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/objects.h"

#include <ctime>

namespace vkinfer::text::jinja {

namespace {

Value raise_exception(BuiltinCall& call) {
    throw Failure(call.printed(0), FailureKind::raised);
}

Value make_namespace(BuiltinCall& call) {
    auto space = std::make_shared<Namespace>();
    call.in.keep(space);
    for (const Value& initial : call.rest()) {
        if (!initial.is_dict()) throw Failure("namespace() takes a dict and named values");
        for (const auto& [name, value] : initial.as_dict()->entries()) space->set(call.in.to_text(name), value);
    }
    for (auto& [name, value] : call.named()) space->set(name, std::move(value));
    return space;
}

Value range(BuiltinCall& call) {
    const int64_t first = call.integer(0, 0);
    if (!call.has(1)) return std::make_shared<Range>(0, first, 1);
    return std::make_shared<Range>(first, call.integer(1, 0), call.integer(2, 1));
}

Value make_dict(BuiltinCall& call) {
    auto dict = std::make_shared<Dict>();
    if (call.rest().size() > 1) throw Failure("dict expected at most 1 argument");
    for (const Value& initial : call.rest()) {
        if (initial.is_dict()) {
            for (const auto& [key, value] : initial.as_dict()->entries()) dict->set(key, value);
            continue;
        }
        for (const Value& pair : call.in.iterate(initial)) {
            const std::vector<Value> parts = call.in.iterate(pair);
            if (parts.size() != 2) throw Failure("dictionary update sequence elements must have length 2");
            dict->set(parts[0], parts[1]);
        }
    }
    for (auto& [name, value] : call.named()) dict->set(name, std::move(value));
    return dict;
}

Value cycler(BuiltinCall& call) {
    if (call.rest().empty()) throw Failure("at least one item has to be provided");
    return std::make_shared<Cycler>(call.rest());
}

Value joiner(BuiltinCall& call) {
    return std::make_shared<Joiner>(call.arg_or(0, ", "));
}

constexpr const char* kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                   "July",    "August",   "September", "October", "November", "December"};
constexpr const char* kDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

std::string padded(int value, size_t width, char fill = '0') {
    std::string text = std::to_string(value);
    return text.size() < width ? std::string(width - text.size(), fill) + text : text;
}

/// One conversion of strftime, in English whatever the locale is.
std::string format_time_field(const std::tm& t, char field) {
    const int hour12 = t.tm_hour % 12 == 0 ? 12 : t.tm_hour % 12;
    const std::string month = kMonths[t.tm_mon];
    const std::string day = kDays[t.tm_wday];
    switch (field) {
    case 'Y':
        return std::to_string(t.tm_year + 1900);
    case 'y':
        return padded(t.tm_year % 100, 2);
    case 'C':
        return padded((t.tm_year + 1900) / 100, 2);
    case 'm':
        return padded(t.tm_mon + 1, 2);
    case 'B':
        return month;
    case 'b':
    case 'h':
        return month.substr(0, 3);
    case 'd':
        return padded(t.tm_mday, 2);
    case 'e':
        return padded(t.tm_mday, 2, ' ');
    case 'j':
        return padded(t.tm_yday + 1, 3);
    case 'A':
        return day;
    case 'a':
        return day.substr(0, 3);
    case 'u':
        return std::to_string(t.tm_wday == 0 ? 7 : t.tm_wday);
    case 'w':
        return std::to_string(t.tm_wday);
    case 'U':
        return padded((t.tm_yday + 7 - t.tm_wday) / 7, 2);
    case 'W':
        return padded((t.tm_yday + 7 - (t.tm_wday + 6) % 7) / 7, 2);
    case 'H':
        return padded(t.tm_hour, 2);
    case 'I':
        return padded(hour12, 2);
    case 'k':
        return padded(t.tm_hour, 2, ' ');
    case 'l':
        return padded(hour12, 2, ' ');
    case 'M':
        return padded(t.tm_min, 2);
    case 'S':
        return padded(t.tm_sec, 2);
    case 'f':
        return "000000";
    case 'p':
        return t.tm_hour < 12 ? "AM" : "PM";
    case 'P':
        return t.tm_hour < 12 ? "am" : "pm";
    case 'n':
        return "\n";
    case 't':
        return "\t";
    case '%':
        return "%";
    case 'z':
    case 'Z':
        return ""; // Python's datetime.now() carries no zone
    default:
        return std::string("%") + field;
    }
}

std::string format_time(const std::tm& t, std::string_view format) {
    std::string out;
    for (size_t i = 0; i < format.size(); ++i) {
        if (format[i] != '%' || i + 1 == format.size()) {
            out += format[i];
            continue;
        }
        char field = format[++i];
        const bool is_bare = (field == '-') && i + 1 < format.size(); // glibc's %-d: without padding
        if (is_bare) field = format[++i];
        if (field == 'D' || field == 'x')
            out += format_time(t, "%m/%d/%y");
        else if (field == 'F')
            out += format_time(t, "%Y-%m-%d");
        else if (field == 'T' || field == 'X')
            out += format_time(t, "%H:%M:%S");
        else if (field == 'R')
            out += format_time(t, "%H:%M");
        else if (field == 'r')
            out += format_time(t, "%I:%M:%S %p");
        else if (field == 'c')
            out += format_time(t, "%a %b %e %H:%M:%S %Y");
        else {
            std::string text = format_time_field(t, field);
            if (is_bare) text.erase(0, std::min(text.find_first_not_of("0 "), text.size() - 1));
            out += text;
        }
    }
    return out;
}

Value strftime_now(BuiltinCall& call) {
    const std::time_t now = call.in.options().now;
    std::tm fields{};
    gmtime_r(&now, &fields); // `now` is wall-clock time already
    call.in.check_size(call.text(0).size() * 16);
    return format_time(fields, call.text(0));
}

constexpr Builtin kGlobals[] = {
    {.name = "raise_exception", .run = raise_exception, .parameters = {"message"}, .n_required = 1},
    {.name = "namespace", .run = make_namespace, .takes_more = true},
    {.name = "strftime_now", .run = strftime_now, .parameters = {"format"}, .n_required = 1},
    {.name = "range", .run = range, .parameters = {"start", "stop", "step"}, .n_required = 1},
    {.name = "dict", .run = make_dict, .takes_more = true},
    {.name = "cycler", .run = cycler, .takes_more = true},
    {.name = "joiner", .run = joiner, .parameters = {"sep"}},
};

} // namespace

std::span<const Builtin> globals() {
    return kGlobals;
}

} // namespace vkinfer::text::jinja
