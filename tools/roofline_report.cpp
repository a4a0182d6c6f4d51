#include "tools/roofline_report.h"

#include <format>
#include <numeric>

namespace vkinfer::tools {

using runtime::PhaseProfile;
using runtime::StepPhase;

namespace {

struct Rates {
    double bytes_per_second = 0;
    double flops_per_second = 0;
    double bytes_per_token = 0;
};

Rates rates_of(const BenchResult& result, const runtime::StepProfile& work) {
    const double seconds = std::accumulate(result.samples_ns.begin(), result.samples_ns.end(), 0.0) / 1e9;
    if (seconds <= 0) return {};
    double bytes = 0, flops = 0, tokens = 0;
    for (const StepPhase phase : {StepPhase::prefill, StepPhase::decode}) {
        const PhaseProfile& sums = work.phase(phase);
        bytes += static_cast<double>(sums.bytes);
        flops += static_cast<double>(sums.flops);
        tokens += static_cast<double>(sums.n_tokens);
    }
    return {bytes / seconds, flops / seconds, tokens > 0 ? bytes / tokens : 0};
}

std::string percent(const char* of, double value, double peak, bool is_first) {
    if (peak <= 0) return "";
    return std::format("{}{:.1f} % of {}", is_first ? "" : ", ", 100 * value / peak, of);
}

} // namespace

std::string roofline_text(const BenchResult& result, const runtime::StepProfile& work,
                          const runtime::DeviceRoofline& device) {
    const Rates rates = rates_of(result, work);
    const kernels::Roofline& roof = device.roofline;
    const BenchTest& test = result.test;
    std::string name;
    if (test.n_prompt > 0) name += std::format("pp{}", test.n_prompt);
    if (test.n_gen > 0) name += std::format("{}tg{}", name.empty() ? "" : "+", test.n_gen);
    if (test.n_depth > 0) name += std::format(" @ d{}", test.n_depth);
    // Decoding one token at a time reads at least what the token uses; batches share.
    const auto active = static_cast<double>(result.active_bytes);
    return std::format(
        "{}: {:.2f} MB a token, {:.2f} times the {:.2f} MB of the {:.1f} M parameters that it uses; {:.2f} "
        "GB/s ({}{}), {:.4f} TFLOP/s ({}{})\n",
        name, rates.bytes_per_token / 1e6, active > 0 ? rates.bytes_per_token / active : 0, active / 1e6,
        static_cast<double>(result.active_params) / 1e6, rates.bytes_per_second / 1e9,
        percent("read", rates.bytes_per_second, roof.read_bytes, true),
        percent("copy", rates.bytes_per_second, roof.copy_bytes, false), rates.flops_per_second / 1e12,
        percent("f32", rates.flops_per_second, roof.f32_flops, true),
        percent("f16 matrices", rates.flops_per_second, roof.f16_matrix_flops, false));
}

void add_roofline_fields(BenchResult& result, const runtime::StepProfile& work, const runtime::DeviceRoofline& device) {
    const Rates rates = rates_of(result, work);
    const kernels::Roofline& roof = device.roofline;
    result.more_numbers = {{"bytes_per_token", rates.bytes_per_token},
                           {"active_bytes", static_cast<double>(result.active_bytes)},
                           {"active_params", static_cast<double>(result.active_params)},
                           {"bytes_per_second", rates.bytes_per_second},
                           {"flops_per_second", rates.flops_per_second},
                           {"roof_read_bytes", roof.read_bytes},
                           {"roof_copy_bytes", roof.copy_bytes},
                           {"roof_f32_flops", roof.f32_flops},
                           {"roof_f16_matrix_flops", roof.f16_matrix_flops},
                           {"roof_s8_dot_flops", roof.s8_dot_flops},
                           {"roof_s8_matrix_flops", roof.s8_matrix_flops}};
}

} // namespace vkinfer::tools
