#include "runtime/step_profile.h"

#include "kernels/shader_library.h"

#include <doctest/doctest.h>

using namespace vkinfer;
using namespace vkinfer::runtime;

namespace {

graph::Plan plan_of(std::initializer_list<std::pair<const char*, const char*>> labels_and_shaders) {
    graph::Plan plan;
    for (const auto& [label, shader] : labels_and_shaders) {
        graph::PlannedDispatch planned;
        planned.label = label;
        planned.dispatch.shader = kernels::find_shader(shader);
        REQUIRE(planned.dispatch.shader != nullptr);
        planned.barrier_before = true;
        plan.dispatches.push_back(std::move(planned));
    }
    return plan;
}

} // namespace

TEST_CASE("sums go to kernels, ops of all layers, and parts of the model") {
    const graph::Plan plan = plan_of({{"blk.0.ffn_gate_inp", "matvec.f32.f32"},
                                      {"blk.0.ffn_route", "expert_route"},
                                      {"blk.0.ffn_gate_up_exps", "expert_matvec.q4_0.f32"},
                                      {"blk.1.ffn_gate_up_exps", "expert_matvec.q4_0.f32"},
                                      {"blk.1.ffn_down_exps", "expert_sum"},
                                      {"blk.1.ffn_gate_up_shexp", "matvec.q4_0.f32"},
                                      {"blk.1.ffn_route", "expert_router_shared.q8_0.f32"},
                                      {"blk.1.attention", "attention"},
                                      {"output", "matvec.q4_0.f32"}});
    const std::vector<graph::Cost> costs(plan.dispatches.size(), {.bytes = 100, .flops = 10});
    std::vector<graph::DispatchTime> times;
    for (size_t i = 0; i < plan.dispatches.size(); ++i) {
        times.push_back({1000.0 + 10.0 * static_cast<double>(i), 1010.0 + 10.0 * static_cast<double>(i)});
    }
    StepProfile profile({.keeps_events = true});
    profile.add_step(StepPhase::decode, 1, plan, costs, times, 100);
    profile.is_active = false;
    profile.add_step(StepPhase::decode, 1, plan, costs, times, 100);
    profile.is_active = true;
    profile.add_step(StepPhase::prefill, 64, plan, costs, times, 100);

    const PhaseProfile& decode = profile.phase(StepPhase::decode);
    CHECK(decode.n_steps == 1);
    CHECK(decode.n_tokens == 1);
    CHECK(decode.n_barriers == plan.dispatches.size());
    CHECK(decode.bytes == 100 * plan.dispatches.size());
    CHECK(decode.flops == 10 * plan.dispatches.size());
    CHECK(decode.device_ns == doctest::Approx(90));
    const ProfileSum& experts = decode.by_kernel.at("expert_matvec.q4_0.f32");
    CHECK(experts.n_dispatches == 2);
    CHECK(experts.ns == doctest::Approx(20));
    CHECK(experts.bytes == 200);
    CHECK(experts.flops == 20);
    CHECK(decode.by_label.at("blk.*.ffn_gate_up_exps").n_dispatches == 2);
    CHECK(decode.by_label.contains("output"));
    const auto part = [&](ModelPart p) { return decode.by_part[static_cast<size_t>(p)].n_dispatches; };
    CHECK(part(ModelPart::routing) == 3);
    CHECK(part(ModelPart::expert_products) == 4);
    CHECK(part(ModelPart::attention) == 1);
    CHECK(part(ModelPart::products) == 1);
    CHECK(part(ModelPart::rest) == 0);
    CHECK(profile.phase(StepPhase::prefill).n_tokens == 64);

    CHECK(profile.events().size() == 2 * (1 + plan.dispatches.size()));
    CHECK(profile.events()[0].name == "decode of 1 token");
    CHECK(profile.events()[1].name == "blk.0.ffn_gate_inp");
    CHECK(profile.events().back().step == 1);
    profile.clear();
    CHECK(profile.phase(StepPhase::decode).n_steps == 0);
}

TEST_CASE("a device without timestamps still counts steps") {
    const graph::Plan plan = plan_of({{"output", "matvec.q4_0.f32"}});
    const std::vector<graph::Cost> costs(1);
    StepProfile profile({});
    profile.add_step(StepPhase::decode, 1, plan, costs, {}, 5);
    CHECK(profile.phase(StepPhase::decode).n_steps == 1);
    CHECK(profile.phase(StepPhase::decode).by_kernel.empty());
}
