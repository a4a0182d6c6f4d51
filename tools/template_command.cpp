#include "tools/template_command.h"

#include "base/error.h"

#include <istream>
#include <ostream>
#include <string>

namespace vkinfer::tools {

namespace {

/// Calls `render` for each line that is not empty.
template<class F>
size_t for_each_line(std::istream& in, std::ostream& out, F&& render) {
    size_t n_lines = 0;
    for (std::string line; std::getline(in, line);) {
        if (line.empty()) continue;
        out << render(line) << '\n' << std::flush;
        if (!out) throw Error(ErrorKind::io, "the output cannot be written");
        ++n_lines;
    }
    if (in.bad()) throw Error(ErrorKind::io, "the input cannot be read");
    return n_lines;
}

} // namespace

size_t render_lines(const text::ChatTemplate& chat, std::istream& in, std::ostream& out, std::optional<std::time_t> now,
                    text::TemplateRules rules) {
    return for_each_line(in, out, [&](const std::string& line) { return chat.render_json(line, now, rules); });
}

int run_template(const std::string& source, const std::string& now_text, bool lenient, std::istream& in,
                 std::ostream& out) {
    std::optional<std::time_t> now;
    if (!now_text.empty()) now = text::parse_wall_clock(now_text);
    std::optional<text::ChatTemplate> chat;
    std::string failure;
    try {
        chat.emplace(source);
    } catch (const Error& error) {
        failure = text::error_json(error);
    }
    if (!chat) {
        for_each_line(in, out, [&](const std::string&) { return failure; });
        return 1;
    }
    const auto rules = lenient ? text::TemplateRules::strict_then_lenient : text::TemplateRules::strict;
    render_lines(*chat, in, out, now, rules);
    return 0;
}

} // namespace vkinfer::tools
