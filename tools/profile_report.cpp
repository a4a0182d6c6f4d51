#include "tools/profile_report.h"

#include "base/error.h"
#include "tools/json_text.h"

#include <algorithm>
#include <cstdio>
#include <format>
#include <fstream>
#include <utility>
#include <vector>

namespace vkinfer::tools {

using namespace runtime;

namespace {

/// "12.3 %", or nothing where there is no peak to compare with.
std::string share_text(double value, double peak) {
    return peak > 0 ? std::format("{:>6.1f} %", 100 * value / peak) : std::string(8, ' ');
}

struct Table {
    std::optional<ProfilePeaks> peaks;
    double all_ns = 0;
    double n_steps = 1;
    size_t name_width = 4;

    std::string head(const char* name) const {
        return std::format("  {:<{}} {:>8} {:>11} {:>8} {:>9}{} {:>10}{}\n", name, name_width, "n/step", "us/step",
                           "share", "GB/s", peaks ? "  of peak" : "", "GFLOP/s", peaks ? "  of peak" : "");
    }
    std::string row(const std::string& name, const ProfileSum& sum) const {
        const double gb = sum.ns > 0 ? static_cast<double>(sum.bytes) / sum.ns : 0;
        const double gflop = sum.ns > 0 ? static_cast<double>(sum.flops) / sum.ns : 0;
        return std::format("  {:<{}} {:>8.1f} {:>11.1f} {} {:>9.2f}{} {:>10.2f}{}\n", name, name_width,
                           static_cast<double>(sum.n_dispatches) / n_steps, sum.ns / n_steps / 1e3,
                           share_text(sum.ns, all_ns), gb,
                           peaks ? " " + share_text(gb * 1e9, peaks->bytes_per_second) : "", gflop,
                           peaks ? " " + share_text(gflop * 1e9, peaks->flops_per_second) : "");
    }
};

std::string phase_text(StepPhase phase, const PhaseProfile& sums, bool by_label,
                       const std::optional<ProfilePeaks>& peaks) {
    const auto n = static_cast<double>(sums.n_steps);
    std::string text = std::format(
        "{}: {} step{} of {:.1f} tokens; {:.3f} ms a step, {:.3f} ms of it on the device; {:.0f} dispatches, {:.0f} "
        "barriers\n",
        to_string(phase), sums.n_steps, sums.n_steps == 1 ? "" : "s", static_cast<double>(sums.n_tokens) / n,
        sums.wall_ns / n / 1e6, sums.device_ns / n / 1e6, static_cast<double>(sums.n_dispatches) / n,
        static_cast<double>(sums.n_barriers) / n);
    if (sums.by_kernel.empty()) return text + "  the device has no timestamps\n";

    using Named = std::pair<std::string, ProfileSum>;
    const auto& chosen = by_label ? sums.by_label : sums.by_kernel;
    std::vector<Named> rows(chosen.begin(), chosen.end());
    std::ranges::sort(rows, [](const Named& a, const Named& b) { return a.second.ns > b.second.ns; });
    Table table{.peaks = peaks, .all_ns = sums.device_ns, .n_steps = n};
    for (const Named& row : rows) table.name_width = std::max(table.name_width, row.first.size());
    for (size_t i = 0; i < kModelParts; ++i) {
        table.name_width = std::max(table.name_width, std::string_view(to_string(static_cast<ModelPart>(i))).size());
    }
    text += table.head(by_label ? "op" : "kernel");
    ProfileSum all;
    for (const auto& [name, sum] : rows) {
        text += table.row(name, sum);
        all.n_dispatches += sum.n_dispatches;
        all.ns += sum.ns;
        all.bytes += sum.bytes;
        all.flops += sum.flops;
    }
    text += table.row("all", all);
    text += table.head("part");
    for (size_t i = 0; i < kModelParts; ++i) {
        if (sums.by_part[i].n_dispatches > 0) {
            text += table.row(to_string(static_cast<ModelPart>(i)), sums.by_part[i]);
        }
    }
    const double routing = sums.by_part[static_cast<size_t>(ModelPart::routing)].ns;
    if (routing > 0) {
        const double experts = routing + sums.by_part[static_cast<size_t>(ModelPart::expert_products)].ns;
        text += std::format("  routing is {:.1f} % of the mixture of experts\n", 100 * routing / experts);
    }
    return text;
}

} // namespace

std::string profile_text(const StepProfile& profile, bool by_label, const std::optional<ProfilePeaks>& peaks) {
    std::string text;
    for (size_t i = 0; i < kStepPhases; ++i) {
        const auto phase = static_cast<StepPhase>(i);
        const PhaseProfile& sums = profile.phase(phase);
        if (sums.n_steps > 0) text += phase_text(phase, sums, by_label, peaks);
    }
    return text.empty() ? "no steps were profiled\n" : text;
}

std::string chrome_trace(const StepProfile& profile) {
    // Times are microseconds; the first event is at 0, since a device's clock starts anywhere.
    double start = 0;
    if (!profile.events().empty()) start = std::ranges::min(profile.events(), {}, &ProfileEvent::begin_ns).begin_ns;
    std::string json =
        "{\"displayTimeUnit\": \"ns\", \"traceEvents\": [\n"
        "{\"ph\": \"M\", \"pid\": 1, \"tid\": 1, \"name\": \"thread_name\", \"args\": {\"name\": \"steps\"}},\n"
        "{\"ph\": \"M\", \"pid\": 1, \"tid\": 2, \"name\": \"thread_name\", \"args\": {\"name\": "
        "\"dispatches\"}}";
    for (const ProfileEvent& event : profile.events()) {
        const bool is_step = event.kernel.empty();
        json +=
            std::format(",\n{{\"ph\": \"X\", \"pid\": 1, \"tid\": {}, \"name\": {}, \"ts\": {:.3f}, \"dur\": {:.3f}, "
                        "\"args\": {{\"step\": {}",
                        is_step ? 1 : 2, json_string(event.name), (event.begin_ns - start) / 1e3,
                        (event.end_ns - event.begin_ns) / 1e3, event.step);
        if (!is_step) {
            json += std::format(", \"kernel\": {}, \"bytes\": {}, \"flops\": {}", json_string(event.kernel),
                                event.bytes, event.flops);
        }
        json += "}}";
    }
    return json + "\n]}\n";
}

std::shared_ptr<StepProfile> ProfileFlags::make() const {
    if (!is_on && !by_label && trace.empty()) return nullptr;
    return std::make_shared<StepProfile>(StepProfile::Options{.keeps_events = !trace.empty()});
}

void ProfileFlags::report(const StepProfile* profile, const std::optional<ProfilePeaks>& peaks) const {
    if (profile == nullptr) return;
    std::fflush(stdout);
    if (is_on || by_label) std::fputs(profile_text(*profile, by_label, peaks).c_str(), stderr);
    if (trace.empty()) return;
    std::ofstream file(trace, std::ios::binary | std::ios::trunc);
    file << chrome_trace(*profile);
    file.close();
    if (!file) throw Error(ErrorKind::io, std::format("{}: writing the trace failed.", trace.string()));
    if (profile->n_dropped_steps() > 0) {
        std::fprintf(stderr, "%s: the last %llu steps are left out\n", trace.c_str(),
                     static_cast<unsigned long long>(profile->n_dropped_steps()));
    }
}

void add_profile_flags(CLI::App& app, ProfileFlags& flags) {
    app.add_flag("--profile", flags.is_on, "time every dispatch and print where the time goes, per kernel");
    app.add_flag("--profile-labels", flags.by_label, "the same per op of the model");
    app.add_option("--profile-trace", flags.trace, "write the dispatches as a trace for chrome://tracing or Perfetto")
        ->type_name("FILE");
}

} // namespace vkinfer::tools
