#include "tools/plan_command.h"

#include "gpu/device.h"
#include "gpu/instance.h"
#include "runtime/predict.h"
#include "tools/engine_flags.h"
#include "tools/json_text.h"
#include "tools/program.h"

#include <algorithm>
#include <cstdio>
#include <format>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace vkinfer::tools {

namespace {

memory::DeviceProfile this_machine(const std::string& device_selector) {
    const gpu::Instance instance;
    gpu::DeviceOptions options;
    options.pipeline_cache.enabled = false;
    gpu::Device device(instance, device_selector, options);
    return memory::profile_of(device);
}

} // namespace

std::string plan_text(const runtime::PlannedModel& planned, const memory::DeviceProfile& profile) {
    const runtime::MemoryDecision& decision = planned.decision;
    std::string text =
        std::format("{} on {} ({})\n", planned.model.file_name, profile.info.name, profile.info.driver_info);
    if (planned.model.is_estimate()) {
        text += std::format("An estimate: this version cannot run it. {}\n", planned.model.estimate_reason);
    }
    for (const std::string& line : decision.arithmetic) text += "  " + line + "\n";
    uint64_t n_allocations = 0;
    for (const memory::Allocation& allocation : decision.plan.allocations) n_allocations += !allocation.is_reserve;
    text += std::format("It fits: -c {} -ctk {} -ctv {}, in {} allocations{}\n", decision.n_ctx,
                        runtime::option_name(decision.type_k), runtime::option_name(decision.type_v), n_allocations,
                        decision.is_reduced ? "; less than was wanted" : "");
    return text;
}

std::string plan_json(const runtime::PlannedModel& planned, const memory::DeviceProfile& profile, bool predicts) {
    const runtime::MemoryDecision& decision = planned.decision;
    const memory::Plan& plan = decision.plan;
    std::string json = "{\n";
    const auto field = [&](const char* name, const std::string& value) {
        json += std::format("  \"{}\": {},\n", name, value);
    };
    field("model", json_string(planned.model.file_name));
    field("device", json_string(profile.info.name));
    field("is_estimate", planned.model.is_estimate() ? "true" : "false");
    field("n_ctx", std::to_string(decision.n_ctx));
    field("n_ctx_train", std::to_string(planned.model.n_ctx_train));
    field("n_parallel", std::to_string(planned.wish.max_sequences));
    field("type_k", json_string(runtime::option_name(decision.type_k)));
    field("type_v", json_string(runtime::option_name(decision.type_v)));
    field("is_reduced", decision.is_reduced ? "true" : "false");
    field("kv_bytes_per_token", std::to_string(decision.kv_bytes_per_token));
    std::string purposes;
    for (size_t i = 0; i < memory::kPurposes; ++i) {
        purposes += std::format("{}\n    {}: {}", i == 0 ? "" : ",",
                                json_string(to_string(static_cast<memory::Purpose>(i))), plan.purpose_bytes[i]);
    }
    field("needs", "{" + purposes + "\n  }");
    field("peak_bytes", std::to_string(plan.peak_bytes()));
    field("allocated_bytes", std::to_string(plan.allocated_bytes()));
    std::string heaps;
    for (const memory::HeapRoom& heap : plan.room.heaps) {
        heaps += std::format("{}\n    {{\"heap\": {}, \"device_local\": {}, \"size_bytes\": {}, \"free_bytes\": {}, "
                             "\"headroom_bytes\": {}, \"planned_bytes\": {}}}",
                             heaps.empty() ? "" : ",", heap.heap, heap.device_local ? "true" : "false", heap.size_bytes,
                             heap.free_bytes, heap.headroom_bytes, plan.heap_bytes[heap.heap]);
    }
    field("heaps", "[" + heaps + "\n  ]");
    std::string allocations;
    for (const memory::Allocation& allocation : plan.allocations) {
        allocations += std::format(
            "{}\n    {{\"purpose\": {}, \"heap\": {}, \"memory_type\": {}, \"size_bytes\": {}, \"lifetime\": {}}}",
            allocations.empty() ? "" : ",", json_string(to_string(allocation.purpose)), allocation.heap,
            allocation.memory_type, allocation.size_bytes,
            json_string(allocation.is_reserve                              ? "driver"
                        : allocation.lifetime == memory::Lifetime::loading ? "loading"
                                                                           : "always"));
    }
    field("allocations", "[" + allocations + "\n  ]");
    if (predicts) field("prediction", prediction_json(planned, profile));
    json += std::format(
        "  \"spill\": {{\"size_bytes\": {}, \"n_experts\": {}, \"bytes_per_token\": {}, \"ms_per_token\": {}}}\n}}\n",
        plan.spill.size_bytes, plan.spill.n_experts, plan.spill.bytes_per_token, json_number(plan.spill.ms_per_token));
    return json;
}

namespace {

/// Depths of the rows for decoding; those beyond the context are left out.
constexpr uint32_t kDepths[] = {0, 4096, 16384, 65536};

struct PredictedTest {
    std::string name;
    runtime::StepEstimate estimate;
};

std::vector<PredictedTest> predicted_tests(const runtime::PlannedModel& planned, const runtime::DeviceRates& rates) {
    std::vector<PredictedTest> rows;
    const auto n_ctx = static_cast<uint32_t>(planned.decision.n_ctx);
    for (const uint32_t n : {64u, 512u, 2048u}) {
        if (n <= n_ctx) rows.push_back({std::format("pp{}", n), runtime::predict_prompt(planned, rates, n)});
    }
    for (const uint32_t depth : kDepths) {
        if (depth >= n_ctx) continue;
        rows.push_back(
            {depth == 0 ? "tg" : std::format("tg @ d{}", depth), runtime::predict_step(planned, rates, 1, depth)});
    }
    return rows;
}

std::string row_text(const std::string& test, const runtime::StepEstimate& e) {
    return std::format("  {:<12} {:>9.1f} {:>11.3f} {:>10.1f} {:>10.3f} {:>9.3f} {:>10.3f} {:>9.3f} {:>10} {:>8}\n",
                       test, e.n_tokens * 1e9 / e.step_ns(), e.step_ns() / 1e6, static_cast<double>(e.bytes) / 1e6,
                       static_cast<double>(e.flops) / 1e12, e.memory_ns / 1e6, e.arithmetic_ns / 1e6,
                       e.overhead_ns / 1e6, e.n_dispatches, e.n_barriers);
}

std::vector<std::pair<std::string, runtime::OpEstimate>> ops_by_time(const runtime::StepEstimate& e) {
    std::vector<std::pair<std::string, runtime::OpEstimate>> ops(e.ops.begin(), e.ops.end());
    std::ranges::stable_sort(ops, std::greater<>(), [](const auto& op) { return op.second.ns; });
    return ops;
}

std::string ops_json(const runtime::StepEstimate& e) {
    std::string rows;
    for (const auto& [label, op] : ops_by_time(e)) {
        rows += std::format("{}\n      {{\"op\": {}, \"kernel\": {}, \"dispatches\": {}, \"ms\": {}, \"bytes\": {}, "
                            "\"flops\": {}, \"bound\": {}}}",
                            rows.empty() ? "" : ",", json_string(label), json_string(op.kernel), op.n_dispatches,
                            json_number(op.ns / 1e6), op.bytes, op.flops, json_string(to_string(op.bound)));
    }
    return "[" + rows + "]";
}

/// What bounds each op, the longest first, down to a hundredth of the step.
std::string ops_text(const PredictedTest& test) {
    const runtime::StepEstimate& e = test.estimate;
    std::string text = std::format("\n  {:<24} {:<24} {:>10} {:>9} {:>6} {:>8} {:>9}  {}\n", "ops of " + test.name,
                                   "kernel", "dispatches", "ms", "share", "GB/s", "TFLOP/s", "bounded by");
    for (const auto& [label, op] : ops_by_time(e)) {
        if (op.ns < 0.01 * e.step_ns()) continue;
        text +=
            std::format("  {:<24} {:<24} {:>10} {:>9.3f} {:>5.1f}% {:>8.1f} {:>9.2f}  {}\n", label, op.kernel,
                        op.n_dispatches, op.ns / 1e6, 100 * op.ns / e.step_ns(), static_cast<double>(op.bytes) / op.ns,
                        static_cast<double>(op.flops) / op.ns / 1e3, to_string(op.bound));
    }
    return text + std::format("  {:<24} {:<24} {:>10} {:>9.3f} {:>5.1f}%\n", "dispatches and barriers", "",
                              e.n_dispatches, e.overhead_ns / 1e6, 100 * e.overhead_ns / e.step_ns());
}

} // namespace

std::string prediction_json(const runtime::PlannedModel& planned, const memory::DeviceProfile& profile) {
    const runtime::DeviceRates rates = runtime::device_rates(profile);
    std::string rows;
    for (const auto& [name, e] : predicted_tests(planned, rates)) {
        rows +=
            std::format("{}\n    {{\"test\": {}, \"tokens_per_second\": {}, \"ms\": {}, \"bytes\": {}, \"flops\": {}, "
                        "\"memory_ms\": {}, \"arithmetic_ms\": {}, \"overhead_ms\": {}, \"dispatches\": {}, "
                        "\"barriers\": {}, \"ops\": {}}}",
                        rows.empty() ? "" : ",", json_string(name), json_number(e.n_tokens * 1e9 / e.step_ns()),
                        json_number(e.step_ns() / 1e6), e.bytes, e.flops, json_number(e.memory_ns / 1e6),
                        json_number(e.arithmetic_ns / 1e6), json_number(e.overhead_ns / 1e6), e.n_dispatches,
                        e.n_barriers, ops_json(e));
    }
    return std::format("{{\"rates\": {}, \"rates_are_measured\": {}, \"tests\": [{}\n  ]}}", json_string(rates.name),
                       rates.is_measured ? "true" : "false", rows);
}

std::string prediction_text(const runtime::PlannedModel& planned, const memory::DeviceProfile& profile) {
    const runtime::DeviceRates rates = runtime::device_rates(profile);
    std::string text =
        std::format("Estimated for {} ({}; {}):\n  weights stream at {:.0f} GB/s, products {}, {:.0f} ns a dispatch, "
                    "{:.0f} ns a barrier, {:.0f} us a step\n",
                    rates.name, rates.source, rates.is_measured ? "rates measured" : "rates assumed, not measured",
                    rates.bytes / 1e9,
                    rates.chip != nullptr
                        ? std::format("as counted in the code for {} at {:.2f} GHz on {} CUs", rates.chip,
                                      rates.clock_hz / 1e9, rates.compute_units)
                        : std::format("{:.2f} TFLOP/s",
                                      (planned.model.policy.coopmat ? rates.matrix_flops : rates.alu_flops) / 1e12),
                    rates.dispatch_ns, rates.barrier_ns, rates.step_ns / 1e3);
    text += std::format("  {:<12} {:>9} {:>11} {:>10} {:>10} {:>9} {:>10} {:>9} {:>10} {:>8}\n", "test", "t/s", "ms",
                        "MB", "TFLOP", "memory ms", "arith. ms", "other ms", "dispatches", "barriers");
    const std::vector<PredictedTest> tests = predicted_tests(planned, rates);
    for (const PredictedTest& row : tests) text += row_text(row.name, row.estimate);
    for (const PredictedTest& row : tests)
        if (row.name == "pp512" || row.name == "tg") text += ops_text(row);
    return text;
}

CommandBody add_plan_command(CLI::App& app) {
    struct Flags {
        runtime::EngineOptions engine;
        std::string profile;
        bool is_json = false;
        bool predicts = false;
    };
    const auto flags = std::make_shared<Flags>();
    add_model_flags(app, flags->engine);
    add_engine_flags(app, flags->engine);
    app.add_option("file", flags->engine.model,
                   "the same as -m; of a file that is not downloaded yet the beginning "
                   "is enough, up to the tensor data");
    app.add_option("--np,--parallel", flags->engine.n_parallel, "sequences that run at the same time (-np)")
        ->capture_default_str();
    app.add_option("--profile", flags->profile,
                   "device profile, as `vkinfer devices --json` writes it; default: this machine, as it is now");
    app.add_flag("--predict", flags->predicts, "estimate the speed of prompts and decoding too, from the real plan");
    app.add_flag("--json", flags->is_json, "as JSON");
    return [flags] {
        const memory::DeviceProfile profile = flags->profile.empty()
                                                  ? this_machine(flags->engine.device)
                                                  : memory::read_profile(flags->profile, flags->engine.device);
        const runtime::PlannedModel planned = runtime::plan_model(flags->engine, profile);
        std::string text = flags->is_json ? plan_json(planned, profile, flags->predicts) : plan_text(planned, profile);
        if (flags->predicts && !flags->is_json) text += prediction_text(planned, profile);
        std::fputs(text.c_str(), stdout);
        return kExitOk;
    };
}

} // namespace vkinfer::tools
