// vkinfer-server over the scripted model, for tests of clients that need no GPU. Takes the same options; -c is the size
// of the context, and a model whose name is a number stands for that many milliseconds of loading.
#include "server/program.h"
#include "server/testing/fake_generator.h"

#include <cstdlib>
#include <thread>

int main(int argc, char** argv) {
    using namespace vkinfer;
    return server::run_program(argc, argv, [](const runtime::EngineOptions& options, const Log&) {
        if (options.model == "missing") throw Error(ErrorKind::not_found, "There is no model missing");
        std::this_thread::sleep_for(std::chrono::milliseconds(std::atoi(options.model.c_str())));
        return std::make_shared<server::FakeGenerator>(
            server::FakeConfig{.n_ctx = options.n_ctx > 0 ? options.n_ctx : 4096});
    });
}
