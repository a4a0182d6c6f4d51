#include "tools/shaders_command.h"

#include "runtime/runner_options.h"
#include "runtime/shader_report.h"
#include "tools/emulation.h"
#include "tools/engine_flags.h"
#include "tools/json_text.h"
#include "tools/program.h"

#include <cstdio>
#include <format>
#include <memory>
#include <optional>
#include <string>

namespace vkinfer::tools {

namespace {

std::string json_row(const runtime::ShaderReportRow& row) {
    return std::format("{{\"pipeline\": {}, \"shader\": {}, \"coopmat\": {}, \"subgroup_size\": {}, \"vgprs\": {}, "
                       "\"spills\": {}, \"scratch_bytes\": {}, \"lds_bytes\": {}, \"occupancy\": {}, "
                       "\"instructions\": {}, \"wmma\": {}, \"dot4\": {}, \"compile_ms\": {:.2f}}}",
                       json_string(row.pipeline), json_string(row.shader), row.is_coopmat, row.subgroup_size, row.vgprs,
                       row.spills, row.scratch_bytes, row.lds_bytes, row.occupancy, row.instructions, row.wmma,
                       row.dot4, row.compile_ms);
}

void print_json(const runtime::VulkanRunner& runner, const std::vector<runtime::ShaderReportRow>& rows) {
    std::printf("{\"device\": %s, \"pipelines\": [", json_string(runner.describe()).c_str());
    for (size_t i = 0; i < rows.size(); ++i) std::printf("%s\n  %s", i == 0 ? "" : ",", json_row(rows[i]).c_str());
    std::puts("\n]}");
}

void print_table(const runtime::VulkanRunner& runner, const std::vector<runtime::ShaderReportRow>& rows) {
    std::printf("%s\n", runner.describe().c_str());
    std::printf("%5s %6s %7s %6s %6s %6s %5s %5s  %s\n", "VGPRs", "spills", "scratch", "LDS", "occ.", "instr.", "WMMA",
                "dot4", "pipeline (specialisation constants in the order of shaders/manifest.json)");
    for (const runtime::ShaderReportRow& row : rows) {
        std::printf("%5u %6u %7u %6u %6u %6u %5u %5u  %s\n", row.vgprs, row.spills, row.scratch_bytes, row.lds_bytes,
                    row.occupancy, row.instructions, row.wmma, row.dot4, row.pipeline.c_str());
    }
}

/// "== pipeline", then its assembly, for every pipeline whose name contains `text`.
void print_isa(const std::vector<runtime::ShaderReportRow>& rows, const std::string& text) {
    for (const runtime::ShaderReportRow& row : rows) {
        if (row.pipeline.contains(text)) std::printf("== %s\n%s\n", row.pipeline.c_str(), row.isa.c_str());
    }
}

} // namespace

CommandBody add_shaders_command(CLI::App& app) {
    struct State {
        runtime::EngineOptions options;
        bool is_json = false;
        bool stats = false;
        std::optional<std::string> isa;
        EmulationOptions emulation;
    };
    const auto state = std::make_shared<State>();
    add_model_flags(app, state->options);
    app.add_flag("--stats", state->stats, "registers, spills, occupancy and instruction counts (the default)");
    app.add_flag("--json", state->is_json, "as JSON");
    app.add_option("--isa", state->isa, "the driver's assembly of the pipelines whose names contain TEXT");
    app.add_option(
        "--emulate", state->emulation.chip,
        "run the plans on an emulated CHIP (gfx1201, navi31, strix1): counts and a model of clocks per kernel");
    app.add_option("--rig", state->emulation.rig,
                   "the emulation: libvkinfer_rdna.so of a build with tests (found by itself there)");
    app.add_option("--product", state->emulation.product,
                   "--emulate: what the chip is taken for in the model of clocks, as \"8060S\" for strix1");
    app.add_option("--sample", state->emulation.n_sampled_groups,
                   "--emulate: run at most this many workgroups of a dispatch and scale the counts: for big models, "
                   "not for mixtures of experts");
    app.add_option("-p,--n-prompt", state->emulation.n_prompt, "--emulate: tokens of prompt (16)")
        ->check(CLI::NonNegativeNumber);
    app.add_option("-n,--n-gen", state->emulation.n_gen, "--emulate: tokens decoded after it (4)")
        ->check(CLI::NonNegativeNumber);
    return [state] {
        state->emulation.is_json = state->is_json;
        if (!state->emulation.chip.empty()) return emulate(state->options, state->emulation);
        runtime::RunnerOptions options = runtime::runner_options(state->options, 0);
        options.capture_statistics = true;
        options.pipeline_cache = false;
        const auto runner = runtime::create_vulkan_runner(options);
        const auto rows = runtime::report_shaders(*runner);
        if (state->isa) {
            print_isa(rows, *state->isa);
        } else if (state->is_json) {
            print_json(*runner, rows);
        } else {
            print_table(*runner, rows);
        }
        return kExitOk;
    };
}

} // namespace vkinfer::tools
