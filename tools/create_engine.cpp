#include "tools/engine_flags.h"
#include "tools/progress_bar.h"

#include <cstdio>

namespace vkinfer::tools {

std::unique_ptr<runtime::Engine> create_engine(runtime::EngineOptions options, bool is_quiet) {
    if (options.model.empty()) options.model = runtime::default_model_path();
    std::unique_ptr<runtime::Engine> engine;
    {
        ProgressBar bar("loading " + options.model.filename().string());
        options.progress = [&](float done) { bar.show(done); };
        engine = runtime::Engine::create(options);
    }
    if (!is_quiet) std::fprintf(stderr, "%s, %s\n", engine->info().name.c_str(), engine->describe().c_str());
    return engine;
}

} // namespace vkinfer::tools
