// vkinfer-server: the HTTP server over the Vulkan engine.
#include "runtime/engine.h"
#include "server/program.h"
#include "tools/progress_bar.h"

int main(int argc, char** argv) {
    using namespace vkinfer;
    return server::run_program(argc, argv, [](runtime::EngineOptions options, const Log& log) {
        if (options.model.empty()) options.model = runtime::default_model_path();
        std::shared_ptr<runtime::Engine> engine;
        {
            tools::ProgressBar bar("loading " + options.model.filename().string());
            const runtime::LoadCallback outer = options.progress;
            options.progress = [&](const runtime::LoadProgress& progress) {
                bar.show(progress.done_bytes, progress.all_bytes);
                if (outer) outer(progress); // ends the loading when the server stops
            };
            engine = runtime::Engine::create(options);
        }
        log.info("{}", engine->describe());
        return engine;
    });
}
