// Methods of str.
#include "text/jinja/builtin.h"
#include "text/jinja/formatting.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/text_algorithms.h"
#include "text/jinja/unicode.h"

#include <algorithm>

namespace vkinfer::text::jinja {

namespace {

constexpr size_t npos = std::string::npos;

const std::string& subject(BuiltinCall& call) {
    call.in.check_text(call.self.as_string().size() * 3); // case mappings can grow it
    return call.self.as_string();
}

Value upper(BuiltinCall& call) {
    return to_upper(subject(call));
}
Value lower(BuiltinCall& call) {
    return to_lower(subject(call));
}
Value title(BuiltinCall& call) {
    return to_title(subject(call));
}
Value capitalize_method(BuiltinCall& call) {
    return capitalize(subject(call));
}
Value swapcase(BuiltinCall& call) {
    return swap_case(subject(call));
}

Value strip_ends(BuiltinCall& call, bool left, bool right) {
    const std::string& text = subject(call);
    if (!call.has(0) || call.arg(0).is_none()) return strip(text, left, right);
    return strip(text, call.text(0), left, right);
}
Value strip_method(BuiltinCall& call) {
    return strip_ends(call, true, true);
}
Value lstrip(BuiltinCall& call) {
    return strip_ends(call, true, false);
}
Value rstrip(BuiltinCall& call) {
    return strip_ends(call, false, true);
}

/// Byte range of the text that start and end arguments (from parameter `i` on) leave.
std::pair<size_t, size_t> range_of(BuiltinCall& call, size_t i) {
    const Text& text = call.self.as_text();
    const auto size = static_cast<int64_t>(text.n_chars);
    const auto place = [&](size_t parameter, int64_t fallback) {
        int64_t index = call.integer(parameter, fallback);
        if (index < 0) index = std::max<int64_t>(index + size, 0);
        return index;
    };
    const int64_t start = place(i, 0);
    const int64_t end = std::min(place(i + 1, size), size);
    if (start > end) return {npos, npos};
    return {byte_offset(text, static_cast<size_t>(start)), byte_offset(text, static_cast<size_t>(end))};
}

Value has_affix(BuiltinCall& call, bool at_end) {
    const auto [from, to] = range_of(call, 1);
    if (from == npos) return false;
    const std::string_view text = std::string_view(subject(call)).substr(from, to - from);
    const auto matches = [&](const Value& affix) {
        if (!affix.is_string()) {
            if (affix.is_undefined()) throw Failure(affix.as_undefined().message);
            throw Failure(std::string(at_end ? "endswith" : "startswith") +
                          " first arg must be str or a tuple of str, not " + std::string(affix.type_name()));
        }
        return at_end ? text.ends_with(affix.as_string()) : text.starts_with(affix.as_string());
    };
    if (!call.arg(0).is_tuple()) return matches(call.arg(0));
    const auto& affixes = call.arg(0).as_list()->items;
    return std::any_of(affixes.begin(), affixes.end(), matches);
}
Value startswith(BuiltinCall& call) {
    return has_affix(call, false);
}
Value endswith(BuiltinCall& call) {
    return has_affix(call, true);
}

Value removeprefix(BuiltinCall& call) {
    const std::string& text = subject(call);
    return text.starts_with(call.text(0)) ? text.substr(call.text(0).size()) : text;
}
Value removesuffix(BuiltinCall& call) {
    const std::string& text = subject(call);
    return text.ends_with(call.text(0)) ? text.substr(0, text.size() - call.text(0).size()) : text;
}

/// Last occurrence, or npos: a search from the front through both backwards, which stays linear.
size_t find_last(std::string_view text, std::string_view needle) {
    charge_steps(text.size() / 16);
    const std::string backwards(text.rbegin(), text.rend());
    const size_t found = find_bytes(backwards, std::string(needle.rbegin(), needle.rend()), 0);
    return found == npos ? npos : text.size() - found - needle.size();
}

/// Position in code points, -1 when absent.
int64_t find_position(BuiltinCall& call, bool from_end) {
    const auto [from, to] = range_of(call, 1);
    const std::string& needle = call.text(0);
    if (from == npos) return -1;
    const std::string_view text = std::string_view(subject(call)).substr(from, to - from);
    const size_t found = from_end ? find_last(text, needle) : find_bytes(text, needle, 0);
    if (found == npos) return -1;
    return static_cast<int64_t>(count_chars(std::string_view(call.self.as_string()).substr(0, from + found)));
}
Value found_or_fail(int64_t position) {
    if (position < 0) throw Failure("substring not found");
    return position;
}
Value find(BuiltinCall& call) {
    return find_position(call, false);
}
Value rfind(BuiltinCall& call) {
    return find_position(call, true);
}
Value index(BuiltinCall& call) {
    return found_or_fail(find_position(call, false));
}
Value rindex(BuiltinCall& call) {
    return found_or_fail(find_position(call, true));
}

Value count(BuiltinCall& call) {
    const auto [from, to] = range_of(call, 1);
    const std::string& needle = call.text(0);
    if (from == npos) return 0;
    const std::string_view text = std::string_view(subject(call)).substr(from, to - from);
    if (needle.empty()) return count_chars(text) + 1;
    int64_t n = 0;
    for (size_t at = find_bytes(text, needle, 0); at != npos; at = find_bytes(text, needle, at + needle.size())) {
        charge_steps(1);
        ++n;
    }
    return n;
}

Value replace(BuiltinCall& call) {
    return replace_text(call.in, subject(call), call.text(0), call.text(1), call.integer(2, -1));
}

Value join(BuiltinCall& call) {
    const std::string& separator = subject(call);
    std::string out;
    size_t i = 0;
    if (call.arg(0).is_undefined()) throw Failure(call.arg(0).as_undefined().message);
    for (const Value& item : call.in.iterate(call.arg(0))) {
        if (!item.is_string()) {
            throw Failure("sequence item " + std::to_string(i) + ": expected str instance, " +
                          std::string(item.type_name()) + " found");
        }
        if (i++ != 0) out += separator;
        out += item.as_string();
        charge_steps(1 + item.as_string().size() / 64);
        call.in.check_size(out.size());
    }
    return out;
}

Value pieces(const std::vector<std::string_view>& parts) {
    charge_steps(parts.size() * 2);
    std::vector<Value> out;
    out.reserve(parts.size());
    for (const std::string_view part : parts) out.emplace_back(part);
    return Value::list(std::move(out));
}

/// Byte ranges of the words of a text.
std::vector<std::string_view> split_at_space(std::string_view text, int64_t max_split, bool from_end) {
    std::vector<std::string_view> parts;
    while (!(text = strip(text, !from_end, from_end)).empty()) {
        charge_steps(1);
        if (max_split >= 0 && static_cast<int64_t>(parts.size()) == max_split) {
            parts.push_back(text); // the rest keeps the white space at its far end
            break;
        }
        size_t word = 0; // bytes of the word at the near end
        if (from_end) {
            size_t start = text.size();
            while (start > 0) {
                size_t lead = start - 1;
                while (lead > 0 && (static_cast<unsigned char>(text[lead]) & 0xC0) == 0x80) --lead;
                size_t at = lead;
                if (is_space(next_char(text, at))) break;
                start = lead;
            }
            word = text.size() - start;
            parts.push_back(text.substr(start));
            text.remove_suffix(word);
        } else {
            for (size_t at = 0; at < text.size();) {
                if (is_space(next_char(text, at))) break;
                word = at;
            }
            parts.push_back(text.substr(0, word));
            text.remove_prefix(word);
        }
    }
    if (from_end) std::reverse(parts.begin(), parts.end());
    return parts;
}

Value split_text(BuiltinCall& call, bool from_end) {
    const std::string_view text = subject(call);
    const int64_t max_split = call.integer(1, -1);
    if (!call.has(0) || call.arg(0).is_none()) return pieces(split_at_space(text, max_split, from_end));
    if (!call.arg(0).is_string()) {
        if (call.arg(0).is_undefined()) throw Failure(call.arg(0).as_undefined().message);
        throw Failure("must be str or None, not " + std::string(call.arg(0).type_name()));
    }
    const std::string& separator = call.arg(0).as_string();
    if (separator.empty()) throw Failure("empty separator");
    std::vector<size_t> cuts;
    // From the end: the same search through both backwards, which stays linear.
    const std::string backwards = from_end ? std::string(text.rbegin(), text.rend()) : "";
    const std::string reversed = from_end ? std::string(separator.rbegin(), separator.rend()) : separator;
    const std::string_view searched = from_end ? std::string_view(backwards) : text;
    for (size_t at = 0; max_split < 0 || static_cast<int64_t>(cuts.size()) < max_split;) {
        const size_t found = find_bytes(searched, reversed, at);
        if (found == npos) break;
        charge_steps(1);
        cuts.push_back(from_end ? text.size() - found - separator.size() : found);
        at = found + separator.size();
    }
    if (from_end) std::reverse(cuts.begin(), cuts.end());
    std::vector<std::string_view> parts;
    size_t at = 0;
    for (const size_t cut : cuts) {
        parts.push_back(text.substr(at, cut - at));
        at = cut + separator.size();
    }
    parts.push_back(text.substr(at));
    return pieces(parts);
}
Value split(BuiltinCall& call) {
    return split_text(call, false);
}
Value rsplit(BuiltinCall& call) {
    return split_text(call, true);
}
Value splitlines(BuiltinCall& call) {
    return pieces(split_lines(subject(call), call.flag(0, false)));
}

Value partition(BuiltinCall& call) {
    const std::string& text = subject(call);
    const std::string& separator = call.text(0);
    if (separator.empty()) throw Failure("empty separator");
    const size_t at = find_bytes(text, separator, 0);
    if (at == npos) return Value::tuple({text, "", ""});
    return Value::tuple({text.substr(0, at), separator, text.substr(at + separator.size())});
}
Value rpartition(BuiltinCall& call) {
    const std::string& text = subject(call);
    const std::string& separator = call.text(0);
    if (separator.empty()) throw Failure("empty separator");
    const size_t at = find_last(text, separator);
    if (at == npos) return Value::tuple({"", "", text});
    return Value::tuple({text.substr(0, at), separator, text.substr(at + separator.size())});
}

Value format(BuiltinCall& call) {
    return brace_format(call.in, subject(call), Arguments{call.rest(), call.named()});
}

std::string fill_of(BuiltinCall& call) {
    if (!call.has(1)) return " ";
    if (count_chars(call.text(1)) != 1) throw Failure("The fill character must be exactly one character long");
    return call.text(1);
}
Value center(BuiltinCall& call) {
    return pad(call.in, call.self.as_text(), call.integer(0, 0), Align::center, fill_of(call));
}
Value ljust(BuiltinCall& call) {
    return pad(call.in, call.self.as_text(), call.integer(0, 0), Align::left, fill_of(call));
}
Value rjust(BuiltinCall& call) {
    return pad(call.in, call.self.as_text(), call.integer(0, 0), Align::right, fill_of(call));
}

Value zfill(BuiltinCall& call) {
    const std::string& text = subject(call);
    const bool has_sign = text.starts_with('-') || text.starts_with('+');
    const std::string digits = has_sign ? text.substr(1) : text;
    const int64_t width = call.integer(0, 0) - (has_sign ? 1 : 0);
    return text.substr(0, has_sign ? 1 : 0) + pad(call.in, Text(digits), width, Align::right, "0");
}

Value expandtabs(BuiltinCall& call) {
    const std::string& text = subject(call);
    const int64_t width = call.integer(0, 8);
    if (width > 0) call.in.check_size(static_cast<size_t>(width));
    std::string out;
    int64_t column = 0;
    for (size_t at = 0; at < text.size();) {
        const char32_t c = next_char(text, at);
        if (c == '\t') {
            const int64_t n = width > 0 ? width - column % width : 0;
            out.append(static_cast<size_t>(n), ' ');
            column += n;
            call.in.check_size(out.size());
        } else {
            append_char(out, c);
            column = c == '\n' || c == '\r' ? 0 : column + 1;
        }
    }
    return out;
}

/// Whether every character passes and there is one.
Value all_chars(BuiltinCall& call, bool (*passes)(char32_t)) {
    const std::string& text = subject(call);
    for (size_t at = 0; at < text.size();) {
        if (!passes(next_char(text, at))) return false;
    }
    return !text.empty();
}
bool is_digit_char(char32_t c) {
    return is_decimal(c) || c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 || (c >= 0x2074 && c <= 0x2079) ||
           (c >= 0x2080 && c <= 0x2089);
}
Value isdigit(BuiltinCall& call) {
    return all_chars(call, is_digit_char);
}
Value isdecimal(BuiltinCall& call) {
    return all_chars(call, is_decimal);
}
Value isalpha(BuiltinCall& call) {
    return all_chars(call, is_alphabetic);
}
Value isalnum(BuiltinCall& call) {
    return all_chars(call, [](char32_t c) { return is_alphabetic(c) || is_digit_char(c); });
}
Value isspace(BuiltinCall& call) {
    return all_chars(call, is_space);
}
Value isascii(BuiltinCall& call) {
    return call.self.as_text().is_ascii();
}
Value isprintable(BuiltinCall& call) {
    return call.self.as_string().empty() || all_chars(call, is_printable).truthy();
}
Value isidentifier(BuiltinCall& call) {
    const std::string& text = call.self.as_string();
    const bool starts_well = !text.empty() && !is_decimal(static_cast<unsigned char>(text[0]));
    return starts_well &&
           all_chars(call, [](char32_t c) { return c == '_' || is_alphabetic(c) || is_decimal(c); }).truthy();
}
Value islower(BuiltinCall& call) {
    return call_builtin(call.in, *find_test("lower"), call.self, {});
}
Value isupper(BuiltinCall& call) {
    return call_builtin(call.in, *find_test("upper"), call.self, {});
}
Value istitle(BuiltinCall& call) {
    bool inside = false, found = false;
    const std::string& text = subject(call);
    for (size_t at = 0; at < text.size();) {
        const char32_t c = next_char(text, at);
        if (is_upper(c) ? inside : is_lower(c) && !inside) return false;
        inside = is_upper(c) || is_lower(c);
        found |= inside;
    }
    return found;
}

constexpr Builtin kMethods[] = {
    {.name = "upper", .run = upper},
    {.name = "lower", .run = lower},
    {.name = "casefold", .run = lower},
    {.name = "title", .run = title},
    {.name = "capitalize", .run = capitalize_method},
    {.name = "swapcase", .run = swapcase},
    {.name = "strip", .run = strip_method, .parameters = {"chars"}},
    {.name = "lstrip", .run = lstrip, .parameters = {"chars"}},
    {.name = "rstrip", .run = rstrip, .parameters = {"chars"}},
    {.name = "startswith", .run = startswith, .parameters = {"prefix", "start", "end"}, .n_required = 1},
    {.name = "endswith", .run = endswith, .parameters = {"suffix", "start", "end"}, .n_required = 1},
    {.name = "removeprefix", .run = removeprefix, .parameters = {"prefix"}, .n_required = 1},
    {.name = "removesuffix", .run = removesuffix, .parameters = {"suffix"}, .n_required = 1},
    {.name = "find", .run = find, .parameters = {"sub", "start", "end"}, .n_required = 1},
    {.name = "rfind", .run = rfind, .parameters = {"sub", "start", "end"}, .n_required = 1},
    {.name = "index", .run = index, .parameters = {"sub", "start", "end"}, .n_required = 1},
    {.name = "rindex", .run = rindex, .parameters = {"sub", "start", "end"}, .n_required = 1},
    {.name = "count", .run = count, .parameters = {"sub", "start", "end"}, .n_required = 1},
    {.name = "replace", .run = replace, .parameters = {"old", "new", "count"}, .n_required = 2},
    {.name = "join", .run = join, .parameters = {"iterable"}, .n_required = 1},
    {.name = "split", .run = split, .parameters = {"sep", "maxsplit"}},
    {.name = "rsplit", .run = rsplit, .parameters = {"sep", "maxsplit"}},
    {.name = "splitlines", .run = splitlines, .parameters = {"keepends"}},
    {.name = "partition", .run = partition, .parameters = {"sep"}, .n_required = 1},
    {.name = "rpartition", .run = rpartition, .parameters = {"sep"}, .n_required = 1},
    {.name = "format", .run = format, .takes_more = true},
    {.name = "center", .run = center, .parameters = {"width", "fillchar"}, .n_required = 1},
    {.name = "ljust", .run = ljust, .parameters = {"width", "fillchar"}, .n_required = 1},
    {.name = "rjust", .run = rjust, .parameters = {"width", "fillchar"}, .n_required = 1},
    {.name = "zfill", .run = zfill, .parameters = {"width"}, .n_required = 1},
    {.name = "expandtabs", .run = expandtabs, .parameters = {"tabsize"}},
    {.name = "isdigit", .run = isdigit},
    {.name = "isdecimal", .run = isdecimal},
    {.name = "isnumeric", .run = isdigit},
    {.name = "isalpha", .run = isalpha},
    {.name = "isalnum", .run = isalnum},
    {.name = "isspace", .run = isspace},
    {.name = "isascii", .run = isascii},
    {.name = "isprintable", .run = isprintable},
    {.name = "isidentifier", .run = isidentifier},
    {.name = "islower", .run = islower},
    {.name = "isupper", .run = isupper},
    {.name = "istitle", .run = istitle},
};

} // namespace

std::span<const Builtin> text_methods() {
    return kMethods;
}

} // namespace vkinfer::text::jinja
