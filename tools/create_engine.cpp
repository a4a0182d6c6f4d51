#include "base/error.h"
#include "tools/engine_flags.h"
#include "tools/interrupt.h"
#include "tools/progress_bar.h"

#include <cstdio>

namespace vkinfer::tools {

std::unique_ptr<runtime::Engine> create_engine(runtime::EngineOptions options, bool is_quiet) {
    if (options.model.empty()) options.model = runtime::default_model_path();
    std::unique_ptr<runtime::Engine> engine;
    {
        ProgressBar bar("loading " + options.model.filename().string());
        const runtime::LoadCallback outer = options.progress;
        catch_interrupts();
        options.progress = [&](const runtime::LoadProgress& progress) {
            bar.show(progress.done_bytes, progress.all_bytes);
            if (outer) outer(progress);
            if (interrupted()) throw Error(ErrorKind::cancelled, "Loading was cancelled.");
        };
        engine = runtime::Engine::create(options);
        restore_interrupts();
    }
    if (!is_quiet) {
        std::fprintf(stderr, "%s, %s, %d tokens of context\n", engine->info().name.c_str(), engine->describe().c_str(),
                     engine->info().n_ctx);
    }
    return engine;
}

} // namespace vkinfer::tools
