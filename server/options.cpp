#include "server/options.h"

#include "base/error.h"
#include "base/file.h"
#include "tools/cli_args.h"
#include "tools/engine_flags.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <format>
#include <map>
#include <sstream>

namespace vkinfer::server {

namespace {

constexpr int kDefaultParallel = 4;
constexpr int kMaxParallel = 256;
constexpr double kMaxTimeoutS = 86'400;

/// Keys of a comma-separated list or of a file's lines, without space around them; lines with # are comments.
void add_keys(const std::string& text, char separator, std::vector<std::string>& keys) {
    constexpr const char* kSpace = " \t\r\n";
    std::istringstream stream(text);
    for (std::string key; std::getline(stream, key, separator);) {
        const size_t first = key.find_first_not_of(kSpace);
        if (first == std::string::npos || (separator == '\n' && key[first] == '#')) continue;
        keys.push_back(key.substr(first, key.find_last_not_of(kSpace) - first + 1));
    }
}

void add_server_engine_flags(CLI::App& app, runtime::EngineOptions& engine) {
    app.add_option("-a,--alias", engine.alias, "name of the model towards clients");
    app.add_option("--np,--parallel", engine.n_parallel, "sequences that run at the same time (-np)")
        ->check(CLI::Range(1, kMaxParallel))
        ->capture_default_str();
    for (const char* name : {"--jinja", "--cb,--cont-batching", "--mmap", "--no-mmap"}) {
        app.add_flag_function(name, [](int64_t) {})->group("");
    }
}

} // namespace

std::expected<Options, int> parse_options(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
    Options options;
    options.engine.n_parallel = kDefaultParallel;
    options.server.handle_signals = true;
    std::string api_keys;
    std::string api_key_file;
    const Limits defaults;
    double timeout_s = std::chrono::duration<double>(defaults.write_timeout).count();
    double drain_timeout_s = std::chrono::duration<double>(defaults.drain_timeout).count();

    CLI::App app("Serves a model over HTTP in the manner of the OpenAI API", "vkinfer-server");
    app.set_version_flag("--version", "vkinfer " VKINFER_VERSION);
    tools::add_model_flags(app, options.engine);
    tools::add_engine_flags(app, options.engine);
    add_server_engine_flags(app, options.engine);
    app.add_option("--host", options.server.host, "address or name to listen on")->capture_default_str();
    app.add_option("--port", options.server.port, "0: any free one, which is then printed")->capture_default_str();
    app.add_option("--api-key", api_keys, "key that clients must send, or several with commas between them");
    app.add_option("--api-key-file", api_key_file, "file with one key per line");
    app.add_option("--timeout", timeout_s, "seconds a client may take to send or receive the next piece")
        ->check(CLI::Range(0.001, kMaxTimeoutS))
        ->capture_default_str();
    app.add_option("--drain-timeout", drain_timeout_s, "seconds that running answers get after SIGTERM or SIGINT")
        ->check(CLI::Range(0.0, kMaxTimeoutS))
        ->capture_default_str();
    app.add_option("--threads-http", options.server.n_threads, "threads for HTTP; 0: by the number of cores")
        ->check(CLI::Range(0, 256))
        ->capture_default_str();
    const std::map<std::string, LogLevel> levels = {{"debug", LogLevel::debug},
                                                    {"info", LogLevel::info},
                                                    {"warning", LogLevel::warning},
                                                    {"error", LogLevel::error}};
    app.add_option("--log-level", options.log_level, "debug, info, warning or error")
        ->transform(CLI::CheckedTransformer(levels).description(""));
    const std::map<std::string, OnDeviceLost> losses = {{"restart", OnDeviceLost::restart},
                                                        {"exit", OnDeviceLost::exit}};
    app.add_option("--on-device-lost", options.on_device_lost,
                   "restart: load the model again after a GPU reset and go on; exit: end with status 1")
        ->transform(CLI::CheckedTransformer(losses).description(""));
    try {
        app.parse(tools::cli11_arguments(argc, argv, tools::kSingleDashLongNames));
    } catch (const CLI::ParseError& error) {
        constexpr int kUsage = 2;
        return std::unexpected(app.exit(error, out, err) == 0 ? 0 : kUsage);
    }

    if (app.count("--verbose") > 0) options.log_level = LogLevel::debug;
    add_keys(api_keys, ',', options.server.api_keys);
    if (!api_key_file.empty()) {
        const size_t n_before = options.server.api_keys.size();
        add_keys(read_text_file(api_key_file), '\n', options.server.api_keys);
        // A file that was meant to protect the server must not leave it open.
        if (options.server.api_keys.size() == n_before) {
            throw Error(ErrorKind::invalid_input, std::format("{} has no keys", api_key_file));
        }
    }
    const auto milliseconds = [](double seconds) {
        return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1e3));
    };
    options.server.limits.write_timeout = milliseconds(timeout_s);
    options.server.limits.read_timeout = milliseconds(timeout_s);
    options.server.limits.drain_timeout = milliseconds(drain_timeout_s);
    return options;
}

} // namespace vkinfer::server
