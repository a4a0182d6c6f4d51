#include "tools/file_commands.h"

#include "base/file.h"
#include "tools/dequant_command.h"
#include "tools/info_command.h"
#include "tools/program.h"
#include "tools/quantize_command.h"
#include "tools/template_command.h"

#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
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

CommandBody add_template_command(CLI::App& app) {
    struct Flags {
        std::string file, now;
        bool is_lenient = false, is_jsonl = false;
    };
    const auto flags = std::make_shared<Flags>();
    app.add_option("--file", flags->file, "the template (Jinja)")->required();
    app.add_option("--now", flags->now, "freezes the clock: 2026-01-15, or with 12:34:56");
    app.add_flag("--lenient", flags->is_lenient, "the looser rules that the engine falls back on");
    app.add_flag("--jsonl", flags->is_jsonl, "one conversation a line on standard input (always so)");
    return [flags] {
        return run_template(read_text_file(flags->file), flags->now, flags->is_lenient, std::cin, std::cout);
    };
}

} // namespace vkinfer::tools
