#include "tools/run_command.h"

#include "tools/answer.h"
#include "tools/engine_flags.h"
#include "tools/interrupt.h"
#include "tools/profile_report.h"
#include "tools/program.h"

#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>

namespace vkinfer::tools {

using namespace runtime;

namespace {

constexpr int kExitInterrupted = 130; // as a shell reports SIGINT

struct Flags {
    EngineOptions engine;
    SamplingFlags sampling;
    ProfileFlags profile;
    std::optional<std::string> prompt;
    std::string system;
    int32_t max_tokens = -1;
    std::vector<std::string> stop;
    bool is_raw = false;
    bool is_quiet = false;
    bool shows_timings = false;
};

std::string prompt_text(const Flags& flags) {
    if (flags.prompt) return *flags.prompt;
    std::string text(std::istreambuf_iterator<char>(std::cin), {});
    if (!flags.is_raw && text.ends_with('\n')) text.pop_back(); // of `echo` or an editor, not of the question
    return text;
}

int run(const Flags& flags) {
    const std::string text = prompt_text(flags);
    if (text.empty())
        throw Error(ErrorKind::invalid_input, "The prompt is empty.", "Give it with -p or on standard input.");
    EngineOptions options = flags.engine;
    options.profile = flags.profile.make();
    const auto engine = create_engine(options, flags.is_quiet);

    GenerationRequest request;
    request.sampling = flags.sampling.over(engine->info().default_sampling);
    request.max_tokens = flags.max_tokens;
    request.stop = flags.stop;
    if (flags.is_raw) {
        request.prompt = engine->tokenize(text, true, true);
    } else {
        Conversation conversation(flags.system);
        conversation.add("user", text);
        request.prompt = conversation.prompt(*engine);
    }
    catch_interrupts();
    const GenerationResult result = stream_answer(
        *engine, std::move(request),
        [](std::string_view piece) {
            std::fwrite(piece.data(), 1, piece.size(), stdout);
            std::fflush(stdout);
        },
        interrupted());
    std::fputc('\n', stdout);
    if (flags.shows_timings) std::fprintf(stderr, "%s\n", timing_text(result).c_str());
    flags.profile.report(options.profile.get());
    return result.reason == FinishReason::cancelled ? kExitInterrupted : kExitOk;
}

} // namespace

CommandBody add_run_command(CLI::App& app) {
    const auto flags = std::make_shared<Flags>();
    add_model_flags(app, flags->engine);
    add_engine_flags(app, flags->engine);
    add_sampling_flags(app, flags->sampling);
    add_profile_flags(app, flags->profile);
    app.add_option("-p,--prompt", flags->prompt, "the question; default: standard input");
    app.add_option("--system,--sys", flags->system, "system message");
    app.add_flag("--raw", flags->is_raw, "continue the text itself, without the chat template");
    app.add_option("-n,--predict", flags->max_tokens, "most tokens of the answer; -1: no limit")
        ->check(CLI::Range(-1, 1 << 30));
    app.add_option("--stop", flags->stop, "ends the answer before this text; may be given several times")
        ->expected(1)
        ->take_all();
    app.add_flag("-q,--quiet", flags->is_quiet, "do not name model and device");
    app.add_flag("--timings", flags->shows_timings, "tokens per second on standard error");
    return [flags] { return run(*flags); };
}

} // namespace vkinfer::tools
