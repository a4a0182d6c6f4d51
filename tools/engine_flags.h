// The options that several programs share: which model on which device, and how to sample.
#pragma once

#include "runtime/engine.h"

#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <optional>
#include <string_view>

namespace vkinfer::tools {

/// Long names that llama.cpp's programs write with a single dash.
inline constexpr auto kSingleDashLongNames = std::to_array<std::string_view>({
    "ub",   "bs",    "ctk",  "ctv",  "ngl", "fa", "np", "dev", "mmp", "lm",   "lzm",  "sm", "mg",  "ts", "ot",
    "nkvo", "ncmoe", "embd", "nopo", "pg",  "oe", "hf", "hff", "hft", "fitt", "fitc", "mu", "sys", "tb", "cb",
});

/// -m, -c, -ub, -np, -ctk, -ctv, --device, --coopmat, --act, ... on `app`, bound to `options`, which must outlive it.
/// What llama.cpp's users pass and vkinfer decides by itself (-ngl, -fa, -b, -t, -lm, ...) is accepted and not shown.
void add_model_flags(CLI::App& app, runtime::EngineOptions& options);
/// -c, -np, --chat-template, ...: what only an engine needs.
void add_engine_flags(CLI::App& app, runtime::EngineOptions& options);

/// Values the user gave; the others stay those of the model.
struct SamplingFlags {
    std::optional<float> temperature, top_p, min_p, repeat_penalty, presence_penalty, frequency_penalty;
    std::optional<int32_t> top_k, repeat_last_n;
    std::optional<uint64_t> seed;

    runtime::SamplingParams over(runtime::SamplingParams defaults) const;
};

/// --temp, --top-k, --top-p, --min-p, --repeat-penalty, ..., -s on `app`, bound to `flags`.
void add_sampling_flags(CLI::App& app, SamplingFlags& flags);

/// The engine with a progress bar while it loads (on a terminal) and the paths it uses on standard error.
std::unique_ptr<runtime::Engine> create_engine(runtime::EngineOptions options, bool is_quiet);

} // namespace vkinfer::tools
