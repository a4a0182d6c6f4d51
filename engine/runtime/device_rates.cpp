#include "runtime/device_rates.h"

#include "base/error.h"

#include <format>
#include <string>

namespace vkinfer::runtime {

namespace {

// Shares assumed where nothing was measured: mat-vec 90 % of the nominal bandwidth (863 of 960 GB/s were published for
// Q8_0 on an RX 7900 XTX), 83 % on Strix Halo (212 to 215 of 256 GB/s); GEMM 50 % of the matrix rate, attention 25 %;
// f32 without dual issue 60 %; two vector instructions a decoded weight. Where the kernels were counted
// (kernel_counts.h) clocks take the place of the last four; the clock's share is what the model of clocks by unit
// says of llama.cpp's prefill on an RX 9070 XT over what was published (docs/rdna-rig.md), and on Strix Halo, whose
// clock the power limit sets, what the best published product reaches of the nominal matrix rate (36.9 of 59.4
// TFLOP/s). A barrier: 5.5 us were published for gfx1201, waiting for the dispatch before it among them, which the
// model of clocks has already; a published decode of llama.cpp leaves about 1.5 us for a dispatch with its barrier.
constexpr double kTera = 1e12, kGiga = 1e9;
constexpr double kStream = 0.90, kStreamHalo = 0.83, kGemm = 0.50, kAttention = 0.25, kAlu = 0.60;
constexpr double kClock = 0.92, kClockHalo = 0.62;

struct CountedChip {
    const char* id = nullptr;
    uint32_t compute_units = 0;
    double clock_hz = 0;
};

constexpr DeviceRates amd(const char* name, const char* match, double bytes, double matrix_flops, double f32_flops,
                          double barrier_ns, const CountedChip& chip, const char* source) {
    return {.name = name,
            .match = match,
            .is_measured = false,
            .bytes = bytes,
            .matrix_flops = kGemm * matrix_flops,
            .alu_flops = kAlu * f32_flops,
            .weights = f32_flops / 4, // two flops an instruction, two instructions a weight
            .attention_flops = matrix_flops > 0 ? kAttention * matrix_flops : kAttention * f32_flops,
            .dispatch_ns = 500,
            .barrier_ns = barrier_ns,
            .step_ns = 40'000,
            .chip = chip.id,
            .compute_units = chip.compute_units,
            .clock_hz = chip.clock_hz,
            .source = source};
}

constexpr DeviceRates hopper(const char* name, const char* match, double nominal_bytes, const char* source) {
    return {.name = name,
            .match = match,
            .is_measured = false,
            .bytes = kStream * nominal_bytes,
            .matrix_flops = 0.25 * 989 * kTera, // KHR cooperative matrices reach wave-wide instructions only
            .alu_flops = kAlu * 67 * kTera,
            .weights = 67 * kTera / 4,
            .attention_flops = 0.10 * 989 * kTera,
            .dispatch_ns = 1000,
            .barrier_ns = 2500,
            .step_ns = 30'000,
            .source = source};
}

constexpr DeviceRates kRates[] = {
    amd("Strix Halo", "GFX1151", kStreamHalo * 256 * kGiga, 59.4 * kTera, 14.8 * kTera, 1500,
        {"strix1", 40, kClockHalo * 2.9e9},
        "LPDDR5X-8000 on 256 bits; 40 CUs at 2.9 GHz, 512 f16 flops a clock and CU on WMMA"),
    amd("Radeon AI PRO R9700", "R9700", kStream * 640 * kGiga, 190 * kTera, 23.9 * kTera, 1500,
        {"gfx1201", 64, kClock * 2.92e9}, "GDDR6 at 20 Gbit/s on 256 bits; 64 CUs at 2.92 GHz"),
    amd("Radeon RX 9070 XT", "RX 9070 XT", kStream * 640 * kGiga, 195 * kTera, 24.3 * kTera, 1500,
        {"gfx1201", 64, kClock * 2.97e9}, "GDDR6 at 20 Gbit/s on 256 bits; 64 CUs at 2.97 GHz"),
    amd("gfx1201", "GFX1201", kStream * 640 * kGiga, 190 * kTera, 23.9 * kTera, 1500, {"gfx1201", 64, kClock * 2.92e9},
        "as Radeon AI PRO R9700"),
    amd("Radeon RX 7900 XTX", "NAVI31", kStream * 960 * kGiga, 122.8 * kTera, 30.7 * kTera, 1500,
        {"navi31", 96, kClock * 2.5e9}, "GDDR6 at 20 Gbit/s on 384 bits; 96 CUs at 2.5 GHz"),
    amd("Radeon RX 6800 XT", "NAVI21", kStream * 512 * kGiga, 0, 20.7 * kTera, 5000, {},
        "GDDR6 at 16 Gbit/s on 256 bits; 72 CUs at 2.25 GHz; no matrices"),
    amd("Radeon RX 6600", "NAVI23", kStream * 224 * kGiga, 0, 8.9 * kTera, 4000, {},
        "GDDR6 at 14 Gbit/s on 128 bits; 28 CUs at 2.49 GHz; no matrices"),
    hopper("NVIDIA H200", "H200", 4800 * kGiga,
           "HBM3e 4.8 TB/s; 989 TFLOP/s of f16, of which KHR cooperative matrices are taken to reach 25 %"),
    hopper("NVIDIA H100", "H100", 3350 * kGiga, "HBM3 3.35 TB/s; as H200"),
    // Per 2 threads; fitted to idle runs of the 88 M llama with fused decoding alone (docs/benchmarks.md).
    {.name = "lavapipe",
     .match = "llvmpipe",
     .is_measured = true,
     .bytes = 14 * kGiga,
     .matrix_flops = 0,
     .alu_flops = 70 * kGiga,
     .weights = 14.5 * kGiga,
     .attention_flops = 17 * kGiga,
     .dispatch_ns = 8000,
     .barrier_ns = 0,
     .step_ns = 30'000,
     .source = "measured on 2 threads of a Xeon, Mesa 26.1.6, llama 88M Q4_0"},
};
constexpr double kMeasuredThreads = 2;

} // namespace

std::span<const DeviceRates> known_device_rates() {
    return kRates;
}

DeviceRates device_rates(const memory::DeviceProfile& profile) {
    for (const DeviceRates& rates : kRates) {
        if (!std::string_view(profile.info.name).contains(rates.match)) continue;
        DeviceRates found = rates;
        if (profile.capabilities.device_type == gpu::DeviceType::cpu && profile.capabilities.compute_units > 0) {
            const double scale = profile.capabilities.compute_units / kMeasuredThreads;
            found.alu_flops *= scale;
            found.weights *= scale;
            found.attention_flops *= scale;
        }
        return found;
    }
    std::string names;
    for (const DeviceRates& rates : kRates) names += std::format("{}{}", names.empty() ? "" : ", ", rates.match);
    throw Error(ErrorKind::not_found, std::format("{}: its rates are not known.", profile.info.name),
                std::format("Known are devices whose names contain one of {}.", names));
}

} // namespace vkinfer::runtime
