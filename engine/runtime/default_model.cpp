// Where the demo model is: beside the installed programs, or in the source tree of a build.
#include "runtime/engine.h"

#include <format>
#include <system_error>

namespace vkinfer::runtime {

namespace {
constexpr const char* kFileName = "vkinfer-demo.gguf";
}

std::filesystem::path default_model_path() {
    namespace fs = std::filesystem;
    std::error_code error;
    // PREFIX/bin/program -> PREFIX/share/vkinfer
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    const fs::path installed = program.parent_path().parent_path() / "share" / "vkinfer" / kFileName;
    if (fs::exists(installed, error)) return installed;
    const fs::path source = fs::path(VKINFER_DEMO_DIR) / kFileName;
    if (fs::exists(source, error)) return source;
    throw Error(ErrorKind::not_found,
                std::format("The demo model is neither {} nor {}.", installed.string(), source.string()),
                "Name a model file with -m.");
}

} // namespace vkinfer::runtime
