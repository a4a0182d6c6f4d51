// `vkinfer chat`: a conversation in the terminal, or over pipes with one message a line.
#pragma once

#include "runtime/types.h"
#include "tools/command.h"
#include "tools/line_reader.h"

#include <functional>
#include <string>
#include <string_view>

namespace vkinfer::tools {

CommandBody add_chat_command(CLI::App& app);

struct ChatOptions {
    std::string system;
    runtime::SamplingParams sampling;
    int32_t max_tokens = -1;
    bool is_terminal = false; ///< shows a prompt and hints
    bool shows_timings = false;
};

/// The loop: reads lines, answers each, until /exit, the end of the input or two Ctrl-C at the prompt.
int chat(runtime::Generator& generator, const ChatOptions& options, LineReader& input,
         const std::function<void(std::string_view)>& write);

} // namespace vkinfer::tools
