// vkinfer-load-bench: how fast a model is loaded from a cold cache, against what dd reads from the same file in turns,
// and the peak of the process's memory. What it loads on decides what it means: on lavapipe device memory is the
// process's own.
#include "base/error.h"
#include "base/file.h"
#include "gpu/device.h"
#include "runtime/vulkan_runner.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

using namespace vkinfer;
using Clock = std::chrono::steady_clock;

namespace {

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

void drop_from_cache(const std::string& path) {
    const File file(path);
    ::fdatasync(file.descriptor());
    ::posix_fadvise(file.descriptor(), 0, 0, POSIX_FADV_DONTNEED);
}

/// A line of /proc/self/status in bytes.
uint64_t status_bytes(const std::string& key) {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(key + ":")) return std::strtoull(line.c_str() + key.size() + 1, nullptr, 10) * 1024;
    }
    return 0;
}

/// Seconds that dd takes to read the file past the cache.
double read_with_dd(const std::string& path) {
    drop_from_cache(path);
    const std::string command = "dd if='" + path + "' of=/dev/null bs=16M iflag=direct status=none";
    const auto start = Clock::now();
    if (std::system(command.c_str()) != 0) throw Error(ErrorKind::io, "dd failed.", "Is the path free of quotes?");
    return seconds_since(start);
}

struct Load {
    double all_s = 0;     ///< from the device to the loaded runner
    double weights_s = 0; ///< from the first report of progress to the end
};

Load load(runtime::RunnerOptions options) {
    drop_from_cache(options.model);
    Clock::time_point start;
    Clock::time_point first{};
    options.on_device = [&](gpu::Device&) { start = Clock::now(); };
    uint64_t first_bytes = 0;
    uint64_t all_bytes = 0;
    options.progress = [&](const runtime::LoadProgress& progress) {
        if (first == Clock::time_point{}) {
            first = Clock::now();
            first_bytes = progress.done_bytes;
        }
        all_bytes = progress.all_bytes;
    };
    const auto runner = runtime::create_vulkan_runner(options);
    Load result{.all_s = seconds_since(start)};
    const double rest = seconds_since(first);
    const auto share =
        static_cast<double>(all_bytes - first_bytes) / static_cast<double>(std::max<uint64_t>(all_bytes, 1));
    result.weights_s = share > 0 ? rest / share : rest;
    return result;
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

int run(int argc, char** argv) {
    runtime::RunnerOptions options;
    std::string model;
    int rounds = 5;
    CLI::App app("Measures loading from a cold cache against dd.");
    app.add_option("-m,--model,model", model, "model file (GGUF), not split")->required();
    app.add_option("--device", options.device, "device");
    app.add_option("-r,--rounds", rounds, "rounds of dd and loading in turns")->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    options.model = model;
    options.n_ctx = 512;
    options.n_ubatch = 16;
    const uint64_t bytes = File(model).size_bytes();
    const auto rate = [&](double seconds) { return static_cast<double>(bytes) / seconds / 1e9; };
    std::vector<double> ratios, dd_rates, load_rates, weight_rates;
    for (int i = 0; i < rounds; ++i) {
        const double dd_s = read_with_dd(model);
        const Load loaded = load(options);
        dd_rates.push_back(rate(dd_s));
        load_rates.push_back(rate(loaded.all_s));
        weight_rates.push_back(rate(loaded.weights_s));
        ratios.push_back(dd_s / loaded.all_s);
        std::printf("round %d: dd %.2f GB/s, loading %.2f GB/s (weights alone %.2f), ratio %.2f\n", i + 1,
                    dd_rates.back(), load_rates.back(), weight_rates.back(), ratios.back());
        std::fflush(stdout);
    }
    const uint64_t peak = status_bytes("VmHWM");
    std::printf("median: dd %.2f GB/s, loading %.2f GB/s (weights alone %.2f), ratio %.2f; file %.0f MB, peak of the "
                "process %.0f MB\n",
                median(dd_rates), median(load_rates), median(weight_rates), median(ratios),
                static_cast<double>(bytes) / 1e6, static_cast<double>(peak) / 1e6);
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const Error& error) {
        std::fprintf(stderr, "vkinfer-load-bench: %s\n", error.full_text().c_str());
        return 1;
    }
}
