// `--profile`: where the time of steps goes, as a table and as a Chrome trace.
#pragma once

#include "runtime/step_profile.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace vkinfer::tools {

/// What the device can do at most, for shares of it; measured in the same run (vkinfer-bench --roofline).
struct ProfilePeaks {
    double bytes_per_second = 0;
    double flops_per_second = 0;
};

/// One table per phase with steps: a row per kernel, or with `by_label` per place in the model.
std::string profile_text(const runtime::StepProfile& profile, bool by_label,
                         const std::optional<ProfilePeaks>& peaks = {});

/// The steps as chrome://tracing and Perfetto read them.
std::string chrome_trace(const runtime::StepProfile& profile);

struct ProfileFlags {
    bool is_on = false;
    bool by_label = false;
    std::filesystem::path trace;

    /// Null when no option asks for it.
    std::shared_ptr<runtime::StepProfile> make() const;
    /// Prints the tables to standard error and writes the trace, whichever was asked for.
    void report(const runtime::StepProfile* profile, const std::optional<ProfilePeaks>& peaks = {}) const;
};

/// --profile, --profile-labels, --profile-trace on `app`, bound to `flags`.
void add_profile_flags(CLI::App& app, ProfileFlags& flags);

} // namespace vkinfer::tools
