#include "tools/emulation.h"

#include "base/error.h"
#include "runtime/runner_options.h"
#include "runtime/shader_report.h"
#include "runtime/step_profile.h"
#include "tools/json_text.h"
#include "tools/program.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <format>
#include <fstream>
#include <iterator>
#include <map>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace vkinfer::tools {

namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

/// What the rig counted since the last call; the first call begins to count.
using TakeCounts = const char* (*)();

TakeCounts find_rig() {
    return reinterpret_cast<TakeCounts>(dlsym(RTLD_DEFAULT, "vkinfer_rdna_take_counts"));
}

fs::path find_rig_library(const std::string& given) {
    if (!given.empty()) {
        if (fs::exists(given)) return fs::absolute(given);
        throw Error(ErrorKind::not_found, std::format("{}: there is no such file", given),
                    "it is tests/rdna/libvkinfer_rdna.so in a build directory that has tests");
    }
    const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
    for (const char* place : {"libvkinfer_rdna.so", "../tests/rdna/libvkinfer_rdna.so"})
        if (fs::exists(here / place)) return fs::canonical(here / place);
    throw Error(ErrorKind::not_found, "the emulation (libvkinfer_rdna.so) is not beside this program",
                "give its path with --rig: it is tests/rdna/libvkinfer_rdna.so in a build directory that has tests");
}

/// RADV on the no-op device with the rig before it; does not return.
[[noreturn]] void restart_on_rig(const EmulationOptions& options) {
    const std::string preload = find_rig_library(options.rig).string() + " libamdgpu_noop_drm_shim.so";
    if (const char* now = std::getenv("LD_PRELOAD"); now != nullptr && now == preload)
        throw Error(ErrorKind::unsupported, std::format("\"{}\" could not be preloaded", preload),
                    "the shim is in the package mesa-drm-shim");
    setenv("LD_PRELOAD", preload.c_str(), 1);
    setenv("AMDGPU_GPU_ID", options.chip.c_str(), 1);
    std::string rig_options;
    if (const char* given = std::getenv("VKINFER_RDNA"); given != nullptr) rig_options = given;
    const auto add = [&](const std::string& option) { rig_options += (rig_options.empty() ? "" : ",") + option; };
    if (options.n_sampled_groups > 0) add(std::format("nocheck,sample={}", options.n_sampled_groups));
    if (!options.product.empty()) add("product=" + options.product);
    setenv("VKINFER_RDNA", rig_options.c_str(), 1);
    setenv("MESA_SHADER_CACHE_DISABLE", "true", 1);
    setenv("MESA_VK_IGNORE_CONFORMANCE_WARNING", "true", 1);
    const char* driver = std::getenv("VK_DRIVER_FILES");
    if (driver == nullptr || !std::string_view(driver).contains("radeon")) {
        for (const char* path :
             {"/usr/share/vulkan/icd.d/radeon_icd.json", "/usr/share/vulkan/icd.d/radeon_icd.x86_64.json",
              "/etc/vulkan/icd.d/radeon_icd.json", "/usr/local/share/vulkan/icd.d/radeon_icd.x86_64.json"})
            if (fs::exists(path)) setenv("VK_DRIVER_FILES", path, 1);
    }
    std::ifstream file("/proc/self/cmdline", std::ios::binary); // each argument ends with a zero
    std::string arguments{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    std::vector<char*> argv;
    for (size_t at = 0; at < arguments.size(); at = arguments.find('\0', at) + 1) argv.push_back(&arguments[at]);
    argv.push_back(nullptr);
    execv("/proc/self/exe", argv.data());
    throw Error(ErrorKind::io, std::format("cannot restart with \"{}\" preloaded: {}", preload, std::strerror(errno)));
}

/// FNV-1a over the encodings in the driver's listing ("... ; be800003 f8000000", and "(then repeated 6 times)" for more
/// of the same): the name that the rig gives to code.
std::string code_name(std::string_view listing) {
    constexpr std::string_view kRepeated = "(then repeated ";
    uint64_t hash = 0xcbf29ce484222325;
    std::vector<uint32_t> words; // of the last instruction
    const auto add = [&] {
        for (const uint32_t word : words)
            for (int b = 0; b < 4; ++b) hash = (hash ^ (word >> 8 * b & 255)) * 0x100000001b3;
    };
    while (!listing.empty()) {
        const std::string_view line = listing.substr(0, listing.find('\n'));
        listing.remove_prefix(std::min(listing.size(), line.size() + 1));
        if (const size_t at = line.find(kRepeated); at != std::string_view::npos) {
            for (int n = std::atoi(line.data() + at + kRepeated.size()); n > 0; --n) add();
            continue;
        }
        const size_t semicolon = line.rfind(';');
        if (semicolon == std::string_view::npos) continue;
        words.clear();
        for (std::string_view rest = line.substr(semicolon + 1); rest.size() >= 9; rest.remove_prefix(9)) {
            uint32_t word = 0;
            const auto [end, error] = std::from_chars(rest.data() + 1, rest.data() + 9, word, 16);
            if (error != std::errc() || end != rest.data() + 9) break;
            words.push_back(word);
        }
        add();
    }
    return std::format("{:016x}", hash);
}

double number(const json::value& value) {
    return value.to_number<double>();
}

struct Phase {
    std::string title;
    json::value counts;
    runtime::PhaseProfile work;
};

void print_phase(const Phase& phase, const std::map<std::string, std::string>& names) {
    std::vector<json::value> kernels(phase.counts.at("kernels").as_array().begin(),
                                     phase.counts.at("kernels").as_array().end());
    const auto clocks = [](const json::value& kernel) { return number(kernel.at("model").at("clocks")); };
    std::ranges::sort(kernels, std::greater<>(), clocks);
    std::printf("\n%s\n", phase.title.c_str());
    std::printf("%5s %7s %5s %4s %8s %7s %5s %5s %5s | %9s %9s %9s %9s %9s %9s %9s %9s %8s  %s\n", "disp.", "waves",
                "VGPRs", "occ.", "instr./w", "WMMA/w", "lines", "LDS", "wave", "clocks/d.", "vector", "scalar",
                "memory", "LDS", "DRAM", "latency", "together", "bound", "pipeline");
    const double ghz = number(phase.counts.at("chip").at("clock_ghz"));
    double total = 0;
    for (const json::value& kernel : kernels) {
        const double n = number(kernel.at("dispatches")), waves = number(kernel.at("waves"));
        double instructions = 0;
        for (const auto& [name, count] : kernel.at("instructions").as_object()) instructions += number(count);
        const json::value& model = kernel.at("model");
        const auto per_dispatch = [&](const char* term) { return number(model.at(term)) / n; };
        const double ideal = number(kernel.at("lds_ideal_clocks"));
        const auto name = names.find(std::string(kernel.at("code").as_string()));
        std::printf(
            "%5.0f %7.0f %5.0f %4.0f %8.0f %7.0f %4.0f%% %5.2f %5.0f | %9.0f %9.0f %9.0f %9.0f %9.0f %9.0f %9.0f "
            "%9.0f %8s  %s\n",
            n, waves / n, number(kernel.at("vgprs")), number(kernel.at("occupancy")), instructions / waves,
            number(kernel.at("instructions").at("matrix")) / waves, 100 * number(kernel.at("loads").at("line_use")),
            ideal == 0 ? 1.0 : number(kernel.at("lds_clocks")) / ideal, number(model.at("wave")),
            per_dispatch("clocks"), per_dispatch("vector"), per_dispatch("scalar"), per_dispatch("memory"),
            per_dispatch("lds"), per_dispatch("dram"), per_dispatch("latency"), per_dispatch("together"),
            std::string(model.at("bound").as_string()).c_str(),
            name == names.end() ? "(the driver's own)" : name->second.c_str());
        total += clocks(kernel);
    }
    std::printf("all dispatches one after the other: %.0f clocks, %.1f us at %.2f GHz\n", total, total / ghz / 1000,
                ghz);
}

void print_constants(const json::value& counts) {
    const json::value& chip = counts.at("chip");
    std::printf(
        "\nAn estimate from counts, not a measurement. %s as %s: %.0f CUs, %.2f GHz, %.0f GB/s. Clocks of a dispatch: "
        "the unit that needs most.\n",
        chip.at("id").as_string().c_str(), chip.at("product").as_string().c_str(), number(chip.at("compute_units")),
        number(chip.at("clock_ghz")), number(chip.at("memory_gb_per_s")));
    for (const json::value& constant : counts.at("constants").as_array())
        std::printf("  %-52s %8.0f %-7s %s\n", constant.at("name").as_string().c_str(), number(constant.at("value")),
                    constant.at("unit").as_string().c_str(), constant.at("source").as_string().c_str());
}

void print_json(const std::vector<Phase>& phases, const std::map<std::string, std::string>& names) {
    json::object out;
    for (const Phase& phase : phases) {
        json::value counts = phase.counts;
        for (json::value& kernel : counts.as_object()["kernels"].as_array()) {
            const auto name = names.find(std::string(kernel.at("code").as_string()));
            kernel.as_object()["pipeline"] = name == names.end() ? json::value() : json::value(name->second);
        }
        json::object& work = counts.as_object()["work"].emplace_object();
        for (const auto& [kernel, sum] : phase.work.by_kernel)
            work[kernel] = {{"dispatches", sum.n_dispatches}, {"bytes", sum.bytes}, {"flops", sum.flops}};
        out[phase.title] = std::move(counts);
    }
    std::puts(json::serialize(out).c_str());
}

/// Evaluates tokens of one sequence from `first` on, in steps of at most `n_step`.
void evaluate(runtime::VulkanRunner& runner, int32_t first, int32_t n, int32_t n_step) {
    for (int32_t at = first; at < first + n; at += n_step) {
        std::vector<runtime::StepToken> step;
        for (int32_t i = at; i < std::min(first + n, at + n_step); ++i)
            step.push_back({(i * 37 + 5) % runner.limits().n_vocab, i, 0, i + 1 == first + n});
        const auto logits = runner.evaluate(step);
        if (!logits) throw logits.error();
    }
}

} // namespace

int emulate(const runtime::EngineOptions& engine, const EmulationOptions& options) {
    const TakeCounts take_counts = find_rig();
    if (take_counts == nullptr) restart_on_rig(options);
    take_counts();

    runtime::RunnerOptions runner_options = runtime::runner_options(engine, 0);
    runner_options.capture_statistics = true;
    runner_options.pipeline_cache = false;
    const auto profile = std::make_shared<runtime::StepProfile>(
        runtime::StepProfile::Options{.takes_times = false, .counts_kernels = true});
    profile->is_active = false;
    runner_options.profile = profile;
    const auto runner = runtime::create_vulkan_runner(runner_options);
    std::map<std::string, std::string> names;
    for (const runtime::ShaderReportRow& row : runtime::report_shaders(*runner))
        names[code_name(row.isa)] = row.pipeline;
    if (const auto reserved = runner->reserve(0, options.n_prompt + options.n_gen); !reserved) throw reserved.error();

    std::vector<Phase> phases;
    const auto run = [&](const char* key, const char* text, int32_t first, int32_t n, int32_t n_step) {
        if (n == 0) return;
        take_counts(); // what came before does not count
        profile->clear();
        profile->is_active = true;
        evaluate(*runner, first, n, n_step);
        profile->is_active = false;
        const auto step_phase = n_step == 1 ? runtime::StepPhase::decode : runtime::StepPhase::prefill;
        phases.push_back({options.is_json ? key : std::format("{} of {} tokens", text, n), json::parse(take_counts()),
                          profile->phase(step_phase)});
        if (!phases.back().counts.as_object().contains("chip"))
            throw Error(ErrorKind::unsupported, std::format("the model of clocks has no row for {}", options.chip),
                        "gfx1201, navi31 and strix1 have one");
    };
    run("prefill", "prefill", 0, options.n_prompt, runner->limits().max_batch);
    run("decode", "decode", options.n_prompt, options.n_gen, 1);
    if (options.is_json) {
        print_json(phases, names);
        return kExitOk;
    }
    std::printf("%s\n", runner->describe().c_str());
    for (const Phase& phase : phases) print_phase(phase, names);
    if (!phases.empty()) print_constants(phases.back().counts);
    return kExitOk;
}

} // namespace vkinfer::tools
