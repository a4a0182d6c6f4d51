#include "kernels/roofline.h"

#include "gpu/command_list.h"
#include "gpu/device.h"
#include "gpu/transfer.h"
#include "kernels.gen.h"
#include "kernels/pipeline_store.h"
#include "kernels/policy.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <format>
#include <functional>
#include <random>
#include <vector>

namespace vkinfer::kernels {

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
/// Beyond every cache in sight: 64 MiB of MALL, 96 MiB of L3, 60 MiB of L2.
constexpr uint64_t kBufferBytes = 512 * kMiB;
constexpr uint64_t kCpuBufferBytes = 256 * kMiB;
constexpr uint64_t kSmallBytes = 64 * 1024;
/// Long enough that waking the device and its clocks do not count, far below any watchdog.
constexpr double kWantedNs = 25e6;
constexpr int kRuns = 5;
constexpr uint32_t kMostRepeats = 128, kMostRounds = 1 << 24;
constexpr uint32_t kChainOps = 16 * 8; // chains x steps of a round in roofline_alu.comp

class Bench {
public:
    Bench(gpu::Device& device, PipelineStore& pipelines, const Policy& policy)
        : device_(device), pipelines_(pipelines), policy_(policy) {
        uint64_t free_bytes = 0;
        for (const gpu::HeapInfo& heap : device.heaps()) {
            if (heap.device_local) free_bytes = std::max(free_bytes, heap.budget_bytes);
        }
        const uint64_t wanted = policy.is_cpu ? kCpuBufferBytes : kBufferBytes;
        const uint64_t most = std::min(free_bytes / 4, device.capabilities().max_allocation_bytes);
        size_bytes_ = std::max(16 * kMiB, std::min(wanted, most) / (16 * kMiB) * (16 * kMiB));
        source_ = make_buffer("roofline.source", size_bytes_);
        target_ = make_buffer("roofline.target", size_bytes_);
        small_ = make_buffer("roofline.small", kSmallBytes);
        gpu::CommandList list(device_, {.name = "roofline"});
        list.fill({source_, 0, size_bytes_}, 0x01020304);
        list.fill({target_, 0, size_bytes_}, 0);
        list.end();
        device_.wait(device_.submit(list));
        // Halves of either sign from 0.25 to 1: a matrix unit that multiplies zeros runs at clocks that it cannot hold.
        std::mt19937 random(1);
        std::vector<uint16_t> halves(kSmallBytes / 2);
        for (uint16_t& half : halves) {
            const uint32_t bits = random();
            half = static_cast<uint16_t>((bits & 0x83ff) | (bits & 0x10000 ? 0x3800 : 0x3400));
        }
        gpu::write_buffer(device_, small_, halves);
    }

    uint64_t size_bytes() const { return size_bytes_; }

    /// Bytes per second.
    double memory(bool copies) {
        constexpr uint32_t kLocal = 256;
        Dispatch dispatch;
        dispatch.shader = find_shader("roofline_memory");
        dispatch.specialization = spec_words(shader::RooflineMemorySpec{.local_size = kLocal, .copies = copies});
        const uint32_t n_groups = static_cast<uint32_t>(std::min<uint64_t>(16384, size_bytes_ / (16 * 8 * kLocal)));
        const auto per_group = static_cast<uint32_t>(size_bytes_ / 16 / n_groups / (8 * kLocal) * (8 * kLocal));
        dispatch.push = push_bytes(shader::RooflineMemoryPush{.source = source_.address(),
                                                              .target = target_.address(),
                                                              .vectors_per_group = per_group},
                                   shader::kRooflineMemoryPushBytes);
        dispatch.groups = {n_groups, 1, 1};
        const double bytes = 16.0 * per_group * n_groups * (copies ? 2 : 1);
        return best_rate(bytes, [&](uint32_t) -> const Dispatch& { return dispatch; }, {}, true);
    }

    /// Operations per second of a chain whose step counts `step_ops`.
    double alu(const char* name, uint32_t factor, double step_ops) {
        const uint32_t local = policy_.is_cpu ? policy_.subgroup_size : 256;
        Dispatch dispatch;
        dispatch.shader = find_shader(name);
        dispatch.specialization = spec_words(shader::RooflineAluSpec{.local_size = local});
        dispatch.groups = {policy_.compute_units * 32, 1, 1};
        const double round_ops = step_ops * kChainOps * local * dispatch.groups[0];
        const auto with_rounds = [&](uint32_t n_rounds) -> const Dispatch& {
            dispatch.push =
                push_bytes(shader::RooflineAluPush{.target = target_.address(), .n_rounds = n_rounds, .factor = factor},
                           shader::kRooflineAluPushBytes);
            return dispatch;
        };
        return best_rate(round_ops, with_rounds, {}, false);
    }

    double matrix(const char* name, gpu::ComponentType element, gpu::ComponentType sum) {
        const gpu::CoopmatShape* shape = nullptr;
        const gpu::Capabilities& capabilities = device_.capabilities();
        // A CPU's matrices are emulated, and its compiler moves invariant products out of the loop.
        if (!capabilities.cooperative_matrix || policy_.is_cpu) return 0;
        for (const gpu::CoopmatShape& s : capabilities.coopmat_shapes) {
            const bool fits = s.subgroup_scope && !s.saturating && s.a == element && s.b == element && s.c == sum &&
                              s.result == sum && s.m * s.n <= 1024;
            if (fits && (shape == nullptr || s.m * s.n * s.k > shape->m * shape->n * shape->k)) shape = &s;
        }
        if (shape == nullptr) return 0;
        constexpr uint32_t waves = 4;
        Dispatch dispatch;
        dispatch.shader = find_shader(name);
        dispatch.specialization = spec_words(shader::RooflineMatrixSpec{
            .local_size = waves * policy_.subgroup_size, .frag_m = shape->m, .frag_n = shape->n, .frag_k = shape->k});
        dispatch.subgroup_size = policy_.require_subgroup_size ? policy_.subgroup_size : 0;
        dispatch.groups = {policy_.compute_units * 16, 1, 1};
        const double round_ops = 2.0 * shape->m * shape->n * shape->k * 16 * waves * dispatch.groups[0];
        const std::vector<gpu::BufferRange> bindings{{small_, 0, kSmallBytes}, {source_, 0, kSmallBytes}};
        const auto with_rounds = [&](uint32_t n_rounds) -> const Dispatch& {
            dispatch.push =
                push_bytes(shader::RooflineMatrixPush{.n_rounds = n_rounds}, shader::kRooflineMatrixPushBytes);
            return dispatch;
        };
        return best_rate(round_ops, with_rounds, bindings, false);
    }

private:
    gpu::Buffer make_buffer(const char* name, uint64_t size) {
        return {device_, {.size_bytes = size, .domain = gpu::Domain::device, .name = name, .own_allocation = true}};
    }

    double run_ns(const Dispatch& dispatch, const std::vector<gpu::BufferRange>& bindings, uint32_t n_repeats) {
        gpu::CommandList list(device_, {.name = "roofline", .n_timestamps = 2});
        const gpu::Pipeline& pipeline = pipelines_.get(dispatch);
        list.keep_alive(source_);
        list.keep_alive(target_);
        list.timestamp(0);
        for (uint32_t i = 0; i < n_repeats; ++i) {
            if (i > 0) list.barrier(gpu::Barrier::compute_to_compute);
            list.dispatch(pipeline, dispatch.push, bindings, dispatch.groups[0]);
        }
        list.timestamp(1);
        list.end();
        const auto start = std::chrono::steady_clock::now();
        device_.wait(device_.submit(list));
        const double wall = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
        const std::vector<double> stamps = list.timestamps_ns();
        const double ns = stamps.size() == 2 ? stamps[1] - stamps[0] : 0;
        return ns > 0 ? ns : wall;
    }

    /// Makes the work long enough, by more rounds in the kernel or by more dispatches, then takes the best run.
    double best_rate(double work, const std::function<const Dispatch&(uint32_t)>& with_rounds,
                     const std::vector<gpu::BufferRange>& bindings, bool repeats_dispatch) {
        const uint32_t most = repeats_dispatch ? kMostRepeats : kMostRounds;
        uint32_t n = 1;
        double best = 0;
        for (int run = 0, settled = 0; settled < kRuns && run < 4 * kRuns; ++run) {
            const double ns = run_ns(with_rounds(repeats_dispatch ? 1 : n), bindings, repeats_dispatch ? n : 1);
            if (ns < kWantedNs / 2 && n < most) {
                const double factor = std::clamp(kWantedNs / std::max(ns, 1.0), 1.5, 16.0);
                n = std::min(most, std::max(n + 1, static_cast<uint32_t>(n * factor)));
                continue;
            }
            ++settled;
            best = std::max(best, work * n / ns * 1e9);
        }
        return best;
    }

    gpu::Device& device_;
    PipelineStore& pipelines_;
    const Policy& policy_;
    uint64_t size_bytes_ = 0;
    gpu::Buffer source_, target_, small_;
};

} // namespace

Roofline measure_roofline(gpu::Device& device, PipelineStore& pipelines, const Policy& policy) {
    using enum gpu::ComponentType;
    const gpu::Capabilities& capabilities = device.capabilities();
    Bench bench(device, pipelines, policy);
    Roofline result;
    result.buffer_bytes = bench.size_bytes();
    result.read_bytes = bench.memory(false);
    result.copy_bytes = bench.memory(true);
    result.f32_flops = bench.alu("roofline_alu.f32", std::bit_cast<uint32_t>(0.5f), 2);
    if (capabilities.integer_dot_product) result.s8_dot_flops = bench.alu("roofline_alu.dot", 0x01ff0203, 8);
    if (capabilities.float16) result.f16_matrix_flops = bench.matrix("roofline_matrix.f16", f16, f32);
    if (capabilities.int8) result.s8_matrix_flops = bench.matrix("roofline_matrix.s8", s8, s32);
    return result;
}

std::string describe(const Roofline& roofline) {
    const auto tera = [](const char* name, double value) {
        return value > 0 ? std::format(", {} {:.3f} T/s", name, value / 1e12) : std::string();
    };
    return std::format("read {:.1f} GB/s, copy {:.1f} GB/s (over {} MiB){}{}{}{}", roofline.read_bytes / 1e9,
                       roofline.copy_bytes / 1e9, roofline.buffer_bytes / kMiB, tera("f32", roofline.f32_flops),
                       tera("f16 matrices", roofline.f16_matrix_flops), tera("int8 dot", roofline.s8_dot_flops),
                       tera("int8 matrices", roofline.s8_matrix_flops));
}

} // namespace vkinfer::kernels
