#include "tools/file_commands.h"

#include "tools/dequant_command.h"
#include "tools/info_command.h"
#include "tools/program.h"
#include "tools/quantize_command.h"

#include <cstdio>
#include <memory>
#include <unistd.h>

namespace vkinfer::tools {

CommandBody add_quantize_command(CLI::App& app) {
    const auto arguments = std::make_shared<QuantizeArguments>();
    add_quantize_arguments(app, *arguments);
    return [arguments] {
        run_quantize(*arguments, stdout, isatty(STDERR_FILENO) == 1 ? stderr : nullptr);
        return kExitOk;
    };
}

CommandBody add_dequant_command(CLI::App& app) {
    const auto type = std::make_shared<std::string>();
    const auto place = std::make_shared<std::string>("cpu");
    app.add_option("--type", *type, "tensor type of the blocks, such as Q4_K")->required();
    app.add_option("--on", *place, "where to decode")->check(CLI::IsMember({"cpu"}))->capture_default_str();
    return [type] {
        dequantise_stream(format::traits(parse_tensor_type("--type", *type)), stdin, stdout);
        return kExitOk;
    };
}

} // namespace vkinfer::tools
