// The program `vkinfer-bench`: llama-bench's options and formats over vkinfer's runner.
#include "format/gguf_file.h"
#include "runtime/model_summary.h"
#include "runtime/runner_options.h"
#include "runtime/tuner.h"
#include "tools/bench_output.h"
#include "tools/bench_params.h"
#include "tools/bench_run.h"
#include "tools/devices_command.h"
#include "tools/engine_flags.h"
#include "tools/profile_report.h"
#include "tools/program.h"
#include "tools/roofline_report.h"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <thread>

namespace {

using namespace vkinfer;
using namespace vkinfer::tools;

struct Flags {
    BenchParams params;
    std::string output = "md";
    std::string output_err = "none";
    int32_t delay_s = 0;
    ProfileFlags profile;
    bool measures_roofline = false;
    bool tunes = false;
    bool ignores_tuning = false;
    bool lists_devices = false;
    bool validation = false;
    bool is_verbose = false;
};

std::string cpu_name() {
    std::ifstream file("/proc/cpuinfo");
    std::string line;
    while (std::getline(file, line)) {
        if (!line.starts_with("model name")) continue;
        const size_t start = line.find_first_not_of(" \t:", line.find(':'));
        return start == std::string::npos ? "" : line.substr(start);
    }
    return "";
}

std::string utc_now() {
    return std::format("{:%Y-%m-%dT%H:%M:%SZ}",
                       std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
}

/// llama.cpp calls the devices Vulkan0, Vulkan1, ...
std::string device_selector(const std::string& name) {
    if (name == "auto") return "";
    return name.starts_with("Vulkan") ? name.substr(6) : name;
}

runtime::EngineOptions runner_flags(const Flags& flags, const std::vector<BenchTest>& tests, const BenchTest& test) {
    runtime::EngineOptions options;
    options.model = test.model;
    options.device = device_selector(test.device);
    options.n_ubatch = test.n_ubatch;
    options.type_k = test.type_k;
    options.type_v = test.type_v;
    options.coopmat = flags.params.coopmat;
    options.act = flags.params.act;
    if (flags.params.sample_steps > 0) options.backend_sampling = "on";
    options.validation = flags.validation;
    options.tuned = !flags.ignores_tuning;
    options.log = Log(stderr_sink(), flags.is_verbose ? LogLevel::debug : LogLevel::warning);
    for (const BenchTest& other : tests) { // one cache for all that follow on the same runner
        if (other.shares_runner_with(test)) options.n_ctx = std::max(options.n_ctx, other.n_ctx());
    }
    return options;
}

/// Prints what was chosen for the products of each model; the runner keeps it.
int tune(const Flags& flags, const std::vector<BenchTest>& tests) {
    const BenchTest* last = nullptr;
    for (const BenchTest& test : tests) {
        if (last != nullptr && last->model == test.model && last->device == test.device) continue;
        last = &test;
        const auto runner = runtime::create_vulkan_runner(runtime::runner_options(runner_flags(flags, tests, test), 0));
        std::printf("%s: %s\n", test.model.c_str(), runner->describe().c_str());
        const kernels::Tuning& tuning = runner->tune([](const runtime::TunedProduct& product) {
            const kernels::ProductKey& key = product.key;
            std::printf("%-8s %6u x %-6u %4u column%s %9.1f -> %9.1f us, %2u tried%s: %s%s\n",
                        format::to_string(key.type), key.n_rows, key.n_cols, key.n_columns,
                        key.n_columns == 1 ? " " : "s", product.default_us, product.best_us, product.n_candidates,
                        product.n_wrong > 0 ? std::format(", {} WRONG", product.n_wrong).c_str() : "",
                        kernels::describe(product.choice).c_str(), product.is_default ? " (as before)" : "");
            std::fflush(stdout);
        });
        const std::filesystem::path file = runtime::tuning_file(runner->device());
        if (file.empty()) {
            throw Error(ErrorKind::invalid_input, "There is no cache directory to keep the choices in.",
                        "Set XDG_CACHE_HOME or HOME.");
        }
        runtime::save_tuning(file, tuning);
        std::printf("kept in %s\n", file.c_str());
    }
    return kExitOk;
}

int bench(const Flags& flags) {
    if (flags.lists_devices) {
        std::fputs(device_list_text().c_str(), stdout);
        return kExitOk;
    }
    const BenchParams& params = flags.params;
    const std::vector<BenchTest> tests = make_tests(params);
    for (const BenchTest& test : tests) {
        if (test.n_batch < 1 || test.n_ubatch < 1 || test.n_depth < 0) {
            throw Error(ErrorKind::invalid_input, "-b and -ub must be 1 or more, -d 0 or more.");
        }
    }
    if (flags.tunes) return tune(flags, tests);
    const auto out = make_printer(flags.output, params);
    const auto err = make_printer(flags.output_err, params);
    const auto print = [&](auto make_text) {
        if (out) {
            std::fputs(make_text(*out).c_str(), stdout);
            std::fflush(stdout);
        }
        if (err) std::fputs(make_text(*err).c_str(), stderr);
    };

    print([](BenchPrinter& printer) { return printer.begin(); });
    std::unique_ptr<runtime::ModelRunner> runner;
    std::unique_ptr<BenchSession> session;
    std::shared_ptr<runtime::StepProfile> profile = flags.profile.make();
    if (!profile && flags.measures_roofline) {
        profile = std::make_shared<runtime::StepProfile>(runtime::StepProfile::Options{.takes_times = false});
    }
    std::optional<runtime::DeviceRoofline> roofline;
    std::optional<ProfilePeaks> peaks;
    BenchResult result;
    result.cpu_info = cpu_name();
    const BenchTest* last = nullptr;
    for (size_t i = 0; i < tests.size(); ++i) {
        const BenchTest& test = tests[i];
        const auto progress = [&](const std::string& what) {
            if (!params.shows_progress) return;
            std::fprintf(stderr, "vkinfer-bench: benchmark %zu/%zu: %s\n", i + 1, tests.size(), what.c_str());
        };
        progress("starting");
        if (last == nullptr || !last->shares_runner_with(test)) {
            session.reset();
            runner.reset(); // the old weights go before the new ones come
            runtime::EngineOptions options = runner_flags(flags, tests, test);
            options.profile = profile;
            if (flags.measures_roofline && (!roofline || last->device != test.device)) {
                roofline = runtime::measure_device(options);
                peaks = {roofline->roofline.bytes(), roofline->flops()};
                std::fprintf(stderr, "%s: %s\n", roofline->device.c_str(),
                             kernels::describe(roofline->roofline).c_str());
            }
            runner = runtime::create_runner(options);
            session = std::make_unique<BenchSession>(*runner, profile.get(), params.sample_steps);
            const runtime::ModelSummary summary = runtime::summarise(format::GgufFile(test.model));
            result.model_type = summary.type;
            result.model_size = summary.size_bytes;
            result.model_n_params = summary.n_params;
            result.active_params = summary.n_active_params;
            result.active_bytes = summary.active_bytes;
            result.paths = runner->describe();
            result.gpu_info = result.paths.substr(0, result.paths.find(" ("));
            if (params.shows_progress || flags.output == "md") std::fprintf(stderr, "%s\n", result.paths.c_str());
        }
        last = &test;
        if (flags.delay_s > 0) std::this_thread::sleep_for(std::chrono::seconds(flags.delay_s));
        result.test = test;
        result.test_time = utc_now();
        result.samples_ns = session->measure(test, params.repetitions, params.has_warmup, progress);
        if (roofline) add_roofline_fields(result, *profile, *roofline);
        print([&](BenchPrinter& printer) { return printer.result(result); });
        if (roofline) std::fputs(roofline_text(result, *profile, *roofline).c_str(), stderr);
        flags.profile.report(profile.get(), peaks);
        if (profile) profile->clear();
    }
    print([](BenchPrinter& printer) { return printer.end(); });
    return kExitOk;
}

/// A list option: given once or several times, it replaces the default; further ones add to it.
template<class T, class Parse>
CLI::Option* add_list(CLI::App& app, const char* names, std::vector<T>& values, Parse parse, const char* help) {
    const auto is_given = std::make_shared<bool>(false);
    auto* option = app.add_option_function<std::vector<std::string>>(
        names,
        [&values, parse, is_given](const std::vector<std::string>& texts) {
            if (!*is_given) values.clear();
            *is_given = true;
            for (const std::string& text : texts) {
                for (auto& value : parse(text)) values.push_back(std::move(value));
            }
        },
        help);
    return option->expected(1)->take_all();
}

CommandBody add_bench(CLI::App& app) {
    const auto flags = std::make_shared<Flags>();
    BenchParams& params = flags->params;
    const auto ints = [](const char* option) {
        return [option](const std::string& text) {
            try {
                return parse_int_list(option, text);
            } catch (const Error& error) {
                throw CLI::ValidationError(error.message());
            }
        };
    };
    const auto strings = [](const std::string& text) { return parse_string_list(text); };

    app.footer("Values may be lists (1,2,3), ranges (0-100+50, 16-64*2) and given several times.");
    add_list(app, "-m,--model", params.models, strings, "model files; default: the demo model");
    add_list(app, "-p,--n-prompt", params.n_prompt, ints("-p"), "prompt tokens (512)");
    add_list(app, "-n,--n-gen", params.n_gen, ints("-n"), "generated tokens (128)");
    add_list(
        app, "--pg", params.n_pg,
        [](const std::string& text) {
            try {
                return std::vector{parse_pair("-pg", text)};
            } catch (const Error& error) {
                throw CLI::ValidationError(error.message());
            }
        },
        "a prompt and a generation in one test: pp,tg (-pg)");
    add_list(app, "-d,--n-depth", params.n_depth, ints("-d"), "tokens in the cache before (0)");
    add_list(app, "-b,--batch-size", params.n_batch, ints("-b"), "(2048)");
    add_list(app, "--ub,--ubatch-size", params.n_ubatch, ints("-ub"), "tokens evaluated at once (512) (-ub)");
    add_list(app, "--ctk,--cache-type-k", params.type_k, strings, "types of the K cache (f16) (-ctk)");
    add_list(app, "--ctv,--cache-type-v", params.type_v, strings, "types of the V cache (f16) (-ctv)");
    add_list(app, "-t,--threads", params.n_threads, ints("-t"), "reported only: the GPU does the work");
    add_list(app, "--ngl,--n-gpu-layers", params.n_gpu_layers, ints("-ngl"),
             "reported only: all layers are on the GPU (-ngl)");
    add_list(
        app, "--fa,--flash-attn", params.flash_attn,
        [](const std::string& text) {
            try {
                return parse_flash_attn(text);
            } catch (const Error& error) {
                throw CLI::ValidationError(error.message());
            }
        },
        "reported only: attention is always of that kind (-fa)");
    add_list(app, "--lm,--load-mode", params.load_mode, strings, "reported only (-lm)");
    add_list(
        app, "--mmp,--mmap", params.load_mode,
        [](const std::string& text) {
            std::vector<std::string> modes;
            for (const std::string& value : parse_string_list(text)) modes.push_back(value == "0" ? "none" : "mmap");
            return modes;
        },
        "older name of -lm: 0 is none, 1 is mmap (-mmp)");
    app.add_flag_function("--no-mmap", [&params](int64_t) { params.load_mode = {"none"}; })->group("");
    add_list(
        app, "--dev,--device", params.devices,
        [](const std::string& text) {
            if (text.find('/') != std::string::npos) {
                throw CLI::ValidationError("-dev " + text + ": a model runs on one device.");
            }
            return parse_string_list(text);
        },
        "index, UUID or part of the name; Vulkan0 is 0 (-dev)");
    app.add_option("--coopmat", params.coopmat, "cooperative matrices")
        ->check(CLI::IsMember({"auto", "on", "off"}))
        ->capture_default_str();
    app.add_option("--act", params.act, "precision of activations in matmuls")
        ->check(CLI::IsMember({"auto", "f32", "f16", "q8"}))
        ->capture_default_str();
    app.add_option(
           "--sample-steps", params.sample_steps,
           "choose generated tokens on the device, so many in one submission (top-k 40, top-p 0.95, min-p 0.05, "
           "temperature 0.8); 0: random tokens, as llama-bench")
        ->check(CLI::Range(0, 16))
        ->capture_default_str();
    app.add_option("-r,--repetitions", params.repetitions)->check(CLI::Range(1, 1 << 20))->capture_default_str();
    app.add_option("--delay", flags->delay_s, "seconds before each test")->check(CLI::NonNegativeNumber);
    const auto formats = CLI::IsMember({"md", "csv", "json", "jsonl", "sql", "none"});
    app.add_option("-o,--output", flags->output, "format on standard output")->check(formats)->capture_default_str();
    app.add_option("--oe,--output-err", flags->output_err, "format on standard error (-oe)")
        ->check(formats)
        ->capture_default_str();
    add_profile_flags(app, flags->profile);
    app.add_flag("--roofline", flags->measures_roofline,
                 "measure the device's memory and arithmetic first and print the shares that are achieved");
    app.add_flag("--tune", flags->tunes,
                 "measure what suits the model's products on this device, keep it for later runs, and exit");
    app.add_flag("--ignore-tuning", flags->ignores_tuning, "run with the built-in choices");
    app.add_flag("--list-devices", flags->lists_devices, "list devices and exit");
    app.add_flag("--progress", params.shows_progress, "say what is being run");
    app.add_flag_function("--no-warmup", [&params](int64_t) { params.has_warmup = false; }, "no run before the first");
    app.add_flag("--validation", flags->validation, "run under the Vulkan validation layer");
    app.add_flag("-v,--verbose", flags->is_verbose, "log details");
    // Accepted for the sake of scripts; the value changes nothing here.
    for (const char* name : {"-C,--cpu-mask", "--cpu-strict", "--poll", "--ncmoe,--n-cpu-moe", "--sm,--split-mode",
                             "--mg,--main-gpu", "--nkvo,--no-kv-offload", "--lzm,--lazy-mode", "--embd,--embeddings",
                             "--ts,--tensor-split", "--nopo,--no-op-offload", "--no-host", "--repack", "--prio",
                             "--numa", "--fitt,--fit-target", "--fitc,--fit-ctx"}) {
        app.add_option_function<std::string>(name, [](const std::string&) {}, "")->group("");
    }
    return [flags] {
        if (flags->params.models.empty()) flags->params.models = {runtime::default_model_path().string()};
        return bench(*flags);
    };
}

} // namespace

int main(int argc, char** argv) {
    return run_program("vkinfer's speed, as llama-bench reports it", "vkinfer-bench", add_bench, argc, argv);
}
