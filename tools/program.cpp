#include "tools/program.h"

#include "base/error.h"
#include "tools/cli_args.h"
#include "tools/engine_flags.h"

#include <cstdio>
#include <exception>

namespace vkinfer::tools {

namespace {

constexpr const char* kVersion = "vkinfer " VKINFER_VERSION;

/// Parses and runs; `choose` names the body once the arguments are parsed.
int run_app(CLI::App& app, const std::function<CommandBody()>& choose, int argc, const char* const* argv) {
    try {
        app.parse(cli11_arguments(argc, argv, kSingleDashLongNames));
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kExitOk : kExitUsage;
    }
    try {
        return choose()();
    } catch (const Error& error) {
        std::fprintf(stderr, "error: %s\n", error.message().c_str());
        if (!error.hint().empty()) std::fprintf(stderr, "hint: %s\n", error.hint().c_str());
    } catch (const std::exception& exception) {
        std::fprintf(stderr, "error: %s\n", exception.what());
    }
    return kExitFailed;
}

} // namespace

int run_program(const std::string& description, const std::string& name, std::span<const Command> commands, int argc,
                const char* const* argv) {
    CLI::App app(description, name);
    app.set_version_flag("--version", kVersion);
    app.require_subcommand(1);
    std::vector<std::pair<CLI::App*, CommandBody>> bodies;
    for (const Command& command : commands) {
        CLI::App* sub = app.add_subcommand(command.name, command.help);
        sub->set_version_flag("--version", kVersion);
        bodies.emplace_back(sub, command.setup(*sub));
    }
    const auto choose = [&] {
        for (const auto& [sub, body] : bodies) {
            if (app.got_subcommand(sub)) return body;
        }
        throw Error(ErrorKind::internal, "no subcommand");
    };
    return run_app(app, choose, argc, argv);
}

int run_program(const std::string& description, const std::string& name, CommandSetup setup, int argc,
                const char* const* argv) {
    CLI::App app(description, name);
    app.set_version_flag("--version", kVersion);
    const CommandBody body = setup(app);
    return run_app(app, [&] { return body; }, argc, argv);
}

} // namespace vkinfer::tools
