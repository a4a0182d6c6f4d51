#include "server/program.h"

#include "server/options.h"
#include "server/server.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <format>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>

namespace vkinfer::server {

namespace {

using namespace std::chrono_literals;

constexpr int kFailed = 1;
constexpr auto kPoll = 50ms;
constexpr auto kLoaderPatience = 5000ms;
/// A device that is lost again within this time would be lost for ever.
constexpr auto kShortestLife = 60s;

void print_error(const Error& error) {
    std::fprintf(stderr, "vkinfer-server: %s\n", error.message().c_str());
    if (!error.hint().empty()) std::fprintf(stderr, "%s\n", error.hint().c_str());
}

/// Waits until the engine has ended by itself (a lost device) or the server stops; returns what ended it.
std::optional<Error> watch(const runtime::Generator& model, const std::atomic<bool>& stopped) {
    while (!stopped) {
        if (auto healthy = model.health(); !healthy) return healthy.error();
        std::this_thread::sleep_for(kPoll);
    }
    return std::nullopt;
}

/// Loads the model and hands it to the server; after a lost device does so again, as the options say. Throws Error when
/// there is no model any more.
void keep_a_model(const Options& options, const ModelLoader& load, Server& server, const std::string& url,
                  const Log& log, const std::atomic<bool>& stopped) {
    runtime::EngineOptions engine = options.engine;
    engine.log = log;
    engine.progress = [&](const runtime::LoadProgress&) {
        if (stopped) throw Error(ErrorKind::cancelled, "Loading was cancelled.");
    };
    auto last_loss = std::chrono::steady_clock::time_point::min();
    while (!stopped) {
        std::shared_ptr<runtime::Generator> model = load(engine, log);
        server.set_model(model);
        log.info("{} is ready at {}/v1: {} tokens of context, {} requests at a time", model->info().name, url,
                 model->info().n_ctx, model->info().n_parallel);
        const std::optional<Error> ended = watch(*model, stopped);
        if (!ended) return;
        const auto now = std::chrono::steady_clock::now();
        const bool is_hopeless =
            last_loss != std::chrono::steady_clock::time_point::min() && now - last_loss < kShortestLife;
        if (options.on_device_lost == OnDeviceLost::exit || ended->kind() != ErrorKind::device_lost || is_hopeless) {
            throw *ended;
        }
        last_loss = now;
        log.error("{}. The running requests were answered with this error; the model is loaded again.",
                  ended->message());
        // New requests get 503 from here on. Those that have the old model end soon: they have their last event.
        server.set_model(nullptr);
        const std::weak_ptr<runtime::Generator> old = model;
        model.reset();
        for (auto waited = 0ms; !old.expired() && waited < kLoaderPatience; waited += kPoll) {
            std::this_thread::sleep_for(kPoll); // its memory is wanted for the new one
        }
    }
}

int serve(const Options& options, const ModelLoader& load) {
    const Log log(stderr_sink(), options.log_level);
    Server server(options.server, log);
    server.listen();
    const std::string host =
        options.server.host.find(':') == std::string::npos ? options.server.host : "[" + options.server.host + "]";
    const std::string url = std::format("http://{}:{}", host, server.port());
    // Scripts wait for this line, so it appears at every log level.
    std::fprintf(stderr, "vkinfer-server listens on %s\n", url.c_str());

    std::atomic<bool> failed = false;
    std::atomic<bool> stopped = false;
    std::atomic<bool> loader_is_done = false;
    std::thread loader([&] {
        const auto give_up = [&](const Error& error) {
            print_error(error);
            failed = true;
            server.stop();
        };
        try {
            keep_a_model(options, load, server, url, log, stopped);
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::cancelled) give_up(error);
        } catch (const std::exception& error) {
            give_up(Error(ErrorKind::internal, error.what()));
        }
        loader_is_done = true;
    });
    server.run();
    stopped = true; // a load that still runs ends at its next piece
    for (auto waited = 0ms; !loader_is_done && waited < kLoaderPatience; waited += kPoll)
        std::this_thread::sleep_for(kPoll);
    if (!loader_is_done) {
        // Pipelines are being compiled, which nothing interrupts, and nobody waits for the result any more.
        std::fflush(nullptr);
        std::_Exit(failed ? kFailed : 0);
    }
    loader.join();
    log.info("stopped");
    return failed ? kFailed : 0;
}

} // namespace

int run_program(int argc, const char* const* argv, const ModelLoader& load) {
    try {
        const auto options = parse_options(argc, argv, std::cout, std::cerr);
        return options ? serve(*options, load) : options.error();
    } catch (const Error& error) {
        print_error(error);
    } catch (const std::exception& error) {
        print_error(Error(ErrorKind::internal, error.what()));
    }
    return kFailed;
}

} // namespace vkinfer::server
