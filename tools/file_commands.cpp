#include "tools/file_commands.h"

#include "base/file.h"
#include "base/log.h"
#include "runtime/device_decoder.h"
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
    struct Flags {
        std::string type, place = "cpu", device;
    };
    const auto flags = std::make_shared<Flags>();
    app.add_option("--type", flags->type, "tensor type of the blocks, such as Q4_K")->required();
    app.add_option("--on", flags->place, "where to decode: by the reference or by the kernels that models run on")
        ->check(CLI::IsMember({"cpu", "gpu"}))
        ->capture_default_str();
    app.add_option("--device,--dev", flags->device, "device for --on gpu: index, UUID or part of the name");
    return [flags] {
        const format::TypeTraits& type = format::traits(parse_tensor_type("--type", flags->type));
        if (flags->place == "cpu") {
            dequantise_stream(type, stdin, stdout);
            return kExitOk;
        }
        runtime::DeviceDecoder decoder(flags->device, type, Log(stderr_sink(), LogLevel::warning));
        dequantise_stream(type, stdin, stdout, [&](std::span<const std::byte> blocks, std::span<float> values) {
            decoder.decode(blocks, values);
        });
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
