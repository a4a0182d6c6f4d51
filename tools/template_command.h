// `vkinfer template`: conversations on standard input -> prompts on standard output, for checks against other
// implementations.
#pragma once

#include "text/chat_template.h"

#include <ctime>
#include <iosfwd>
#include <optional>

namespace vkinfer::tools {

/// Each line of `in` is a JSON object with messages, tools, kwargs, bos_token and eos_token; each gives one line
/// {"result": text} or {"error": message}, written at once. `now` freezes the clock of strftime_now. Returns the number
/// of lines; throws Error when a stream fails. The rules are strict by default, as Hugging Face's.
size_t render_lines(const text::ChatTemplate& chat, std::istream& in, std::ostream& out,
                    std::optional<std::time_t> now = {}, text::TemplateRules rules = text::TemplateRules::strict);

/// The same for a template that may not parse: then every line gives that error, so that the output keeps its lines.
/// This is the whole subcommand; `now_text` is the argument of --now or empty. Returns the exit status.
int run_template(const std::string& source, const std::string& now_text, bool lenient, std::istream& in,
                 std::ostream& out);

} // namespace vkinfer::tools
