#include "tools/chat_command.h"

#include "tools/answer.h"
#include "tools/engine_flags.h"
#include "tools/interrupt.h"
#include "tools/program.h"

#include <cstdio>
#include <format>
#include <memory>
#include <unistd.h>

namespace vkinfer::tools {

using namespace runtime;

namespace {

constexpr std::string_view kHelp = "/reset          forget the conversation\n"
                                   "/system TEXT    forget it and set another system message\n"
                                   "/exit           leave (or Ctrl-D, or Ctrl-C twice)\n"
                                   "Ctrl-C          stop the answer\n"
                                   "\\ at the end of a line: the message goes on in the next one\n";

/// Reads a message, which may have several lines. `false`: the chat ends.
class MessageReader {
public:
    MessageReader(LineReader& input, bool is_terminal, const std::function<void(std::string_view)>& write)
        : input_(input), is_terminal_(is_terminal), write_(write) {}

    bool read(std::string& message) {
        message.clear();
        bool was_interrupted = false;
        std::string line;
        for (;;) {
            if (is_terminal_) write_(message.empty() ? "> " : "| ");
            switch (input_.read(line)) {
            case LineReader::Outcome::end:
                if (is_terminal_) write_("\n");
                return !message.empty();
            case LineReader::Outcome::interrupted:
                interrupted() = false;
                if (was_interrupted || !is_terminal_) return false;
                was_interrupted = true;
                message.clear();
                write_("\n(Ctrl-C again or /exit to leave)\n");
                continue;
            case LineReader::Outcome::line:
                break;
            }
            was_interrupted = false;
            if (line.ends_with('\\')) {
                line.back() = '\n';
                message += line;
                continue;
            }
            message += line;
            return true;
        }
    }

private:
    LineReader& input_;
    bool is_terminal_;
    const std::function<void(std::string_view)>& write_;
};

} // namespace

int chat(Generator& generator, const ChatOptions& options, LineReader& input,
         const std::function<void(std::string_view)>& write) {
    Conversation conversation(options.system);
    MessageReader reader(input, options.is_terminal, write);
    int status = kExitOk;
    if (options.is_terminal) write("/help lists the commands.\n");
    std::string message;
    while (reader.read(message)) {
        if (message.empty()) continue;
        if (message == "/exit" || message == "/quit") break;
        if (message == "/help") {
            write(kHelp);
            continue;
        }
        if (message == "/reset") {
            conversation.clear();
            continue;
        }
        if (message.starts_with("/system")) {
            conversation.clear();
            conversation.set_system(message.size() > 8 ? message.substr(8) : "");
            continue;
        }
        conversation.add("user", message);
        std::string answer;
        try {
            interrupted() = false;
            GenerationRequest request;
            request.prompt = conversation.prompt(generator);
            request.sampling = options.sampling;
            request.max_tokens = options.max_tokens;
            const GenerationResult result = stream_answer(
                generator, std::move(request),
                [&](std::string_view text) {
                    answer += text;
                    write(text);
                },
                interrupted());
            interrupted() = false;
            conversation.add("assistant", answer);
            write(result.reason == FinishReason::cancelled ? " [stopped]\n" : "\n");
            if (options.shows_timings) write(timing_text(result) + "\n");
            if (result.reason == FinishReason::length && options.is_terminal) {
                write("(the answer was cut off: the context or the limit of tokens is reached; /reset starts anew)\n");
            }
            status = kExitOk;
        } catch (const Error& error) {
            conversation.remove_last();
            if (!answer.empty()) write("\n");
            std::fprintf(stderr, "error: %s\n", error.full_text().c_str());
            if (error.kind() == ErrorKind::device_lost) return kExitFailed;
            status = kExitFailed;
        }
    }
    return status;
}

CommandBody add_chat_command(CLI::App& app) {
    struct Flags {
        EngineOptions engine;
        SamplingFlags sampling;
        ChatOptions chat;
    };
    const auto flags = std::make_shared<Flags>();
    add_model_flags(app, flags->engine);
    add_engine_flags(app, flags->engine);
    add_sampling_flags(app, flags->sampling);
    app.add_option("--system,--sys", flags->chat.system, "system message");
    app.add_option("-n,--predict", flags->chat.max_tokens, "most tokens of an answer; -1: no limit")
        ->check(CLI::Range(-1, 1 << 30));
    app.add_flag("--timings", flags->chat.shows_timings, "tokens per second after each answer");
    return [flags] {
        const auto engine = create_engine(flags->engine, false);
        flags->chat.sampling = flags->sampling.over(engine->info().default_sampling);
        LineReader input(STDIN_FILENO);
        flags->chat.is_terminal = input.is_terminal() && isatty(STDOUT_FILENO) == 1;
        catch_interrupts();
        return chat(*engine, flags->chat, input, [](std::string_view text) {
            std::fwrite(text.data(), 1, text.size(), stdout);
            std::fflush(stdout);
        });
    };
}

} // namespace vkinfer::tools
