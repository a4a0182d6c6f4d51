#include "ops/harness.h"

#include "base/error.h"
#include "base/half.h"
#include "gpu/command_list.h"
#include "graph/executor.h"
#include "graph/graph.h"
#include "kernels.gen.h"
#include "kernels/fragment_map.h"
#include "kernels/repack.h"
#include "rdna/drm_device.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <format>
#include <set>

namespace vkinfer::test {

std::vector<float> random_floats(size_t n, uint32_t seed, float scale) {
    std::mt19937 engine(seed);
    std::vector<float> values(n);
    for (float& v : values) { // sum of four uniforms: near enough to normal, bounded
        float sum = 0;
        for (int i = 0; i < 4; ++i) sum += static_cast<float>(engine() >> 8) * 0x1p-24f - 0.5f;
        v = sum * 1.7320508f * scale;
    }
    return values;
}

std::vector<uint16_t> rounded_to_halves(std::span<const float> values) {
    std::vector<uint16_t> halves;
    for (const float value : values) halves.push_back(float_to_half(value));
    return halves;
}

double nmse(std::span<const float> x, std::span<const double> y) {
    VKINFER_ASSERT(x.size() == y.size());
    double error = 0, power = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        error += (x[i] - y[i]) * (x[i] - y[i]);
        power += y[i] * y[i];
    }
    return std::isfinite(error) ? error / std::max(power, 1e-300) : INFINITY;
}

kernels::FragmentMap other_chips(const kernels::FragmentMap& map) {
    using enum kernels::AccumulatorRows;
    return {.k_groups = map.k_groups == 1 ? 2u : 1u,
            .accumulator_rows = map.accumulator_rows == apart ? together : apart};
}

namespace {

/// Random bytes, block by block until the largest value is of the order of 1: for types that nothing here encodes.
std::vector<std::byte> random_blocks(const format::TypeTraits& traits, uint32_t n_rows, uint32_t n_cols,
                                     uint32_t seed) {
    std::mt19937 engine(seed);
    std::vector<std::byte> blocks(traits.row_bytes(n_cols) * n_rows);
    std::vector<float> values(traits.block_elements);
    for (size_t at = 0; at < blocks.size(); at += traits.block_bytes) {
        const auto is_fit = [](float largest) { return largest > 0.25f && largest < 4.0f; };
        float largest;
        do {
            for (size_t i = 0; i < traits.block_bytes; ++i) blocks[at + i] = static_cast<std::byte>(engine() >> 24);
            traits.dequantise(blocks.data() + at, values.data(), values.size());
            largest = 0.0f;
            for (const float value : values)
                largest = std::isfinite(value) ? std::max(largest, std::fabs(value)) : INFINITY;
        } while (!is_fit(largest));
    }
    return blocks;
}

} // namespace

OpHarness::OpHarness()
    : instance_({.validation = VKINFER_VALIDATION, .log = Log(stderr_sink(), LogLevel::warning)}), device_(instance_),
      pipelines_(device_) {}

OpHarness& harness() {
    static OpHarness instance;
    return instance;
}

kernels::Policy OpHarness::policy(kernels::CoopmatMode coopmat, kernels::ActivationMode act) {
    kernels::Policy policy = kernels::choose_policy(capabilities(), {coopmat, act});
    if (policy.coopmat) {
        if (!fragments_) fragments_ = kernels::probe_fragment_map(device_, pipelines_, policy);
        policy.fragments = *fragments_;
    }
    return policy;
}

gpu::Buffer OpHarness::buffer(uint64_t size_bytes) {
    // No larger than asked for, so that a rig that checks bounds sees reads beyond it. Poison: what a kernel should
    // write and does not, shows.
    gpu::Buffer made(device_,
                     {.size_bytes = (size_bytes + 3) / 4 * 4, .domain = gpu::Domain::device, .name = "operand"});
    const std::vector<uint32_t> poison(made.size_bytes() / 4, 0x7fc0dead);
    write(made, std::as_bytes(std::span(poison)));
    return made;
}

void OpHarness::write(const gpu::Buffer& buffer, std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    const gpu::Buffer stage(device_,
                            {.size_bytes = (bytes.size() + 3) / 4 * 4, .domain = gpu::Domain::upload, .name = "stage"});
    std::memcpy(stage.mapped(), bytes.data(), bytes.size());
    gpu::CommandList commands(device_, {.name = "write"});
    commands.copy({stage, 0, bytes.size()}, {buffer, 0, bytes.size()});
    commands.end();
    device_.wait(device_.submit(commands));
}

void OpHarness::read_bytes(const gpu::Buffer& buffer, std::span<std::byte> bytes) {
    const gpu::Buffer stage(
        device_, {.size_bytes = (bytes.size() + 3) / 4 * 4, .domain = gpu::Domain::readback, .name = "stage"});
    gpu::CommandList commands(device_, {.name = "read"});
    commands.copy({buffer, 0, bytes.size()}, {stage, 0, bytes.size()});
    commands.end();
    device_.wait(device_.submit(commands));
    std::memcpy(bytes.data(), stage.mapped(), bytes.size());
}

TestWeight OpHarness::weight(format::TensorType type, uint32_t n_rows, uint32_t n_cols, uint32_t seed) {
    const format::TypeTraits& traits = format::traits(type);
    if (traits.quantise == nullptr)
        return weight_from_blocks(type, n_rows, n_cols, random_blocks(traits, n_rows, n_cols, seed));
    const std::vector<float> values =
        random_floats(uint64_t{n_rows} * n_cols, seed, 1.0f / std::sqrt(static_cast<float>(n_cols)));
    std::vector<std::byte> blocks(traits.row_bytes(n_cols) * n_rows);
    traits.quantise(values.data(), blocks.data(), values.size());
    return weight_from_blocks(type, n_rows, n_cols, blocks);
}

TestWeight OpHarness::weight_from_blocks(format::TensorType type, uint32_t n_rows, uint32_t n_cols,
                                         std::span<const std::byte> blocks) {
    const kernels::WeightLayout* layout = kernels::find_weight_layout(type);
    VKINFER_ASSERT(layout != nullptr);
    TestWeight made;
    made.values.resize(uint64_t{n_rows} * n_cols);
    format::traits(type).dequantise(blocks.data(), made.values.data(), made.values.size());

    const uint64_t code_bytes = (kernels::weight_code_bytes(*layout, n_rows, n_cols) + 255) / 256 * 256;
    made.buffer = buffer(code_bytes + kernels::weight_scale_bytes(*layout, n_rows, n_cols));
    made.weight = {.type = type,
                   .n_rows = n_rows,
                   .n_cols = n_cols,
                   .codes = made.buffer.address(),
                   .scales = made.buffer.address() + code_bytes,
                   .table = codebooks_.address(device_, type)};
    const gpu::Buffer source = buffer(blocks.size() + kernels::kRepackSlackBytes);
    write(source, blocks);

    const kernels::Dispatch dispatch = kernels::repack(*layout, {.source = source.address(),
                                                                 .codes = made.weight.codes,
                                                                 .scales = made.weight.scales,
                                                                 .n_rows = n_rows,
                                                                 .n_cols = n_cols});
    gpu::CommandList commands(device_, {.name = "repack"});
    commands.dispatch(pipelines_.get(dispatch), dispatch.push, {}, dispatch.groups[0], dispatch.groups[1]);
    commands.end();
    device_.wait(device_.submit(commands));
    return made;
}

std::vector<float> OpHarness::dequantise(const TestWeight& w) {
    const uint64_t n = uint64_t{w.weight.n_rows} * w.weight.n_cols;
    const gpu::Buffer y = buffer(n * 4);
    const kernels::shader::DequantizeSpec spec;
    kernels::Dispatch dispatch;
    dispatch.shader =
        kernels::find_shader(std::format("dequantize.{}", kernels::find_weight_layout(w.weight.type)->shader_name));
    VKINFER_ASSERT(dispatch.shader != nullptr);
    dispatch.specialization = kernels::spec_words(spec);
    const kernels::shader::DequantizePush push{.codes = w.weight.codes,
                                               .scales = w.weight.scales,
                                               .table = w.weight.table,
                                               .n_rows = w.weight.n_rows,
                                               .n_blocks = w.weight.n_blocks()};
    const gpu::BufferRange range(y);
    gpu::CommandList commands(device_, {.name = "dequantize"});
    commands.dispatch(pipelines_.get(dispatch), kernels::push_bytes(push, kernels::shader::kDequantizePushBytes),
                      {&range, 1}, (w.weight.n_blocks() + spec.local_size - 1) / spec.local_size, w.weight.n_rows);
    commands.end();
    device_.wait(device_.submit(commands));
    return read<float>(y, n);
}

uint64_t OpHarness::take_rig_faults() {
    rdna::RigApi* const rig = rdna::find_rig();
    if (rig == nullptr) return 0;
    const uint64_t n = rig->n_faults();
    rig->forget_faults();
    return n;
}

std::vector<std::string> OpHarness::shaders_run() const {
    std::set<std::string> names; // pipelines are made when they are dispatched
    pipelines_.for_each([&](const std::string&, const kernels::ShaderInfo& shader, const gpu::Pipeline&) {
        names.emplace(shader.name);
    });
    return {names.begin(), names.end()};
}

void OpHarness::run(const kernels::Op& op, const std::vector<const gpu::Buffer*>& operands,
                    const kernels::Policy& policy) {
    graph::Graph g;
    std::vector<graph::TensorId> ids;
    std::vector<gpu::BufferRange> externals;
    for (size_t i = 0; i < operands.size(); ++i) {
        // An operand that appears twice (residual = y) is one tensor.
        size_t first = 0;
        while (operands[first] != operands[i]) ++first;
        if (operands[i] != nullptr && first != i) {
            ids.push_back(ids[first]);
            continue;
        }
        const uint64_t size = operands[i] == nullptr ? 256 : operands[i]->size_bytes();
        ids.push_back(g.external(std::format("operand {}", i), size));
        externals.push_back(operands[i] == nullptr ? gpu::BufferRange() : gpu::BufferRange(*operands[i]));
    }
    g.add("op", op, ids);
    graph::Plan plan = graph::compile(g, policy);
    const gpu::Buffer arena = buffer(std::max<uint64_t>(plan.arena_bytes, 256));
    graph::RecordedPlan recorded(device_, pipelines_, std::move(plan), arena, externals);
    device_.wait(recorded.submit());
}

std::vector<std::string> OpHarness::shaders_of(const kernels::Op& op, const kernels::Policy& policy) {
    std::vector<std::string> names;
    const kernels::Lowered lowered = std::visit([&](const auto& o) { return kernels::lower(o, policy); }, op);
    for (const kernels::Dispatch& dispatch : lowered.dispatches) names.emplace_back(dispatch.shader->name);
    return names;
}

} // namespace vkinfer::test
