#include "server/program.h"

#include "server/options.h"
#include "server/server.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <thread>

namespace vkinfer::server {

namespace {

constexpr int kFailed = 1;

void print_error(const Error& error) {
    std::fprintf(stderr, "vkinfer-server: %s\n", error.message().c_str());
    if (!error.hint().empty()) std::fprintf(stderr, "%s\n", error.hint().c_str());
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

    std::atomic<bool> loaded = false;
    std::atomic<bool> failed = false;
    std::shared_ptr<runtime::Generator> model;
    std::thread loader([&] {
        const auto give_up = [&](const Error& error) {
            print_error(error);
            failed = true;
            server.stop();
        };
        try {
            runtime::EngineOptions engine = options.engine;
            engine.log = log;
            model = load(engine, log);
            server.set_model(model);
            log.info("{} is ready at {}/v1: {} tokens of context, {} requests at a time", model->info().name, url,
                     model->info().n_ctx, model->info().n_parallel);
        } catch (const Error& error) {
            give_up(error);
        } catch (const std::exception& error) {
            give_up(Error(ErrorKind::internal, error.what()));
        }
        loaded = true;
    });
    server.run();
    if (!loaded) {
        // Nothing can interrupt a load, and nobody waits for its result any more.
        std::fflush(nullptr);
        std::_Exit(failed ? kFailed : 0);
    }
    loader.join();
    model.reset();
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
