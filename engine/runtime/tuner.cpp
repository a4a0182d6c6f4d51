#include "runtime/tuner.h"

#include "base/error.h"
#include "base/file.h"
#include "gpu/device.h"
#include "gpu/pipeline_cache_options.h"
#include "gpu/transfer.h"
#include "graph/executor.h"
#include "kernels/pipeline_store.h"
#include "kernels/shader_library.h"

#include <algorithm>
#include <cmath>
#include <format>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace vkinfer::runtime {

namespace {

/// Products of one shape in a timed run: enough layers to leave caches, few enough to stay short.
constexpr size_t kMostLayers = 16;
constexpr int kRounds = 5;
/// A choice has to be this much faster than the policy's own.
constexpr double kWorthwhile = 0.97;
/// Of the largest result: f16 activations of one path against f32 of another.
constexpr float kTolerance = 0.02f;

class Tuner {
public:
    Tuner(gpu::Device& device, kernels::PipelineStore& pipelines, const kernels::Policy& policy)
        : device_(device), pipelines_(pipelines), policy_(policy) {}

    TunedProduct tune(const kernels::ProductKey& key, std::vector<kernels::Linear> ops) {
        if (ops.size() > kMostLayers) ops.resize(kMostLayers);
        make_operands(key, ops);
        struct Candidate {
            kernels::ProductChoice choice;
            std::unique_ptr<graph::RecordedPlan> plan;
            std::vector<double> samples;
        };
        TunedProduct result{.key = key};
        std::vector<Candidate> tried;
        std::vector<float> expected;
        for (const kernels::ProductChoice& choice : kernels::candidates(policy_, key)) {
            ++result.n_candidates;
            Candidate candidate{.choice = choice, .plan = {}, .samples = {}};
            candidate.plan = record(ops, kernels::with_choice(policy_, choice));
            run_us(*candidate.plan);
            std::vector<float> y = gpu::read_buffer<float>(device_, y_, y_.size_bytes() / sizeof(float));
            if (expected.empty()) {
                expected = std::move(y);
            } else if (!agrees(expected, y)) {
                ++result.n_wrong;
                continue;
            }
            tried.push_back(std::move(candidate));
        }
        for (int round = 0; round < kRounds; ++round) {
            for (Candidate& candidate : tried) candidate.samples.push_back(run_us(*candidate.plan));
        }
        const auto median = [](std::vector<double> samples) {
            std::ranges::nth_element(samples, samples.begin() + kRounds / 2);
            return samples[kRounds / 2];
        };
        const auto n = static_cast<double>(ops.size());
        result.choice = tried.front().choice;
        result.default_us = result.best_us = median(tried.front().samples) / n;
        for (const Candidate& candidate : tried) {
            const double us = median(candidate.samples) / n;
            // In its best run as well: what else runs on the machine makes medians lie.
            const bool is_best_too =
                std::ranges::min(candidate.samples) < kWorthwhile * std::ranges::min(tried.front().samples);
            if (us >= result.best_us || us >= kWorthwhile * result.default_us || !is_best_too) continue;
            result.best_us = us;
            result.choice = candidate.choice;
            result.is_default = false;
        }
        return result;
    }

private:
    void make_operands(const kernels::ProductKey& key, const std::vector<kernels::Linear>& ops) {
        uint64_t x_size = 0, y_size = 0;
        for (const kernels::Linear& op : ops) {
            x_size = std::max<uint64_t>(x_size, uint64_t{4} * op.n_columns * op.x_stride);
            y_size = std::max<uint64_t>(y_size, uint64_t{4} * op.n_columns * op.y_stride);
        }
        const auto make = [&](const char* name, uint64_t size) {
            return gpu::Buffer(device_, {.size_bytes = size, .domain = gpu::Domain::device, .name = name});
        };
        counts_ = make("tuner.counts", 256);
        gpu::write_buffer(device_, counts_, std::vector<uint32_t>(64, key.n_columns));
        x_ = make("tuner.x", x_size);
        std::mt19937 random(1);
        std::vector<float> values(x_size / sizeof(float));
        for (float& value : values) value = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
        gpu::write_buffer(device_, x_, values);
        y_ = make("tuner.y", y_size);
        residual_ = make("tuner.residual", y_size);
        const std::vector<float> zeros(y_size / sizeof(float));
        gpu::write_buffer(device_, y_, zeros);
        gpu::write_buffer(device_, residual_, zeros);
    }

    std::unique_ptr<graph::RecordedPlan> record(const std::vector<kernels::Linear>& ops,
                                                const kernels::Policy& policy) {
        graph::Graph g;
        const graph::TensorId counts = g.external("counts", counts_.size_bytes());
        const graph::TensorId x = g.external("x", x_.size_bytes());
        const graph::TensorId residual = g.external("residual", residual_.size_bytes());
        const graph::TensorId y = g.external("y", y_.size_bytes());
        for (const kernels::Linear& op : ops) g.add("product", op, {counts, x, op.has_residual ? residual : y, y});
        graph::Plan plan = graph::compile(g, policy);
        if (!arena_ || arena_.size_bytes() < plan.arena_bytes) {
            arena_ = gpu::Buffer(device_, {.size_bytes = std::max<uint64_t>(plan.arena_bytes, 256),
                                           .domain = gpu::Domain::device,
                                           .name = "tuner.arena"});
        }
        const std::vector<gpu::BufferRange> externals{counts_, x_, residual_, y_};
        return std::make_unique<graph::RecordedPlan>(device_, pipelines_, std::move(plan), arena_, externals, true);
    }

    double run_us(graph::RecordedPlan& plan) {
        device_.wait(plan.submit());
        const std::vector<graph::DispatchTime> times = plan.dispatch_times();
        return times.empty() ? 0 : (times.back().end_ns - times.front().begin_ns) / 1e3;
    }

    static bool agrees(const std::vector<float>& expected, const std::vector<float>& y) {
        float largest = 0;
        for (const float value : expected) largest = std::max(largest, std::abs(value));
        for (size_t i = 0; i < y.size(); ++i) {
            if (!(std::abs(y[i] - expected[i]) <= kTolerance * largest)) return false;
        }
        return true;
    }

    gpu::Device& device_;
    kernels::PipelineStore& pipelines_;
    const kernels::Policy& policy_;
    gpu::Buffer counts_, x_, y_, residual_, arena_;
};

} // namespace

kernels::Tuning tune_products(gpu::Device& device, kernels::PipelineStore& pipelines, const kernels::Policy& policy,
                              std::span<const graph::Graph> graphs,
                              const std::function<void(const TunedProduct&)>& on_product) {
    if (device.capabilities().timestamp_bits == 0) {
        throw Error(ErrorKind::unsupported, std::format("{} has no timestamps to tune by.", device.info().name));
    }
    std::map<kernels::ProductKey, std::vector<kernels::Linear>> products;
    for (const graph::Graph& g : graphs) {
        for (const graph::Node& node : g.nodes()) {
            if (const auto key = kernels::product_key(node.op)) {
                // Folded norms need operands of their own and change little of the time.
                kernels::Linear op = std::get<kernels::Linear>(node.op);
                op.x_is_normed = op.gathers = false;
                op.next_norm = 0;
                products[*key].push_back(op);
            }
        }
    }
    Tuner tuner(device, pipelines, policy);
    kernels::Tuning tuning;
    for (auto& [key, ops] : products) {
        const TunedProduct product = tuner.tune(key, std::move(ops));
        // The policy's own choice is kept too: it is the nearest for numbers of columns in between.
        tuning.set(key, product.choice);
        on_product(product);
    }
    return tuning;
}

std::filesystem::path tuning_file(const gpu::Device& device) {
    const std::filesystem::path directory = gpu::default_pipeline_cache_directory();
    if (directory.empty()) return {};
    const gpu::Capabilities& capabilities = device.capabilities();
    std::string uuid;
    for (const uint8_t byte : capabilities.device_uuid) uuid += std::format("{:02x}", byte);
    return directory / std::format("products-{}-{:x}-{:016x}.txt", uuid, capabilities.driver_version,
                                   kernels::shader_library_hash());
}

kernels::Tuning load_tuning(const std::filesystem::path& file) {
    std::error_code error;
    if (file.empty() || !std::filesystem::is_regular_file(file, error)) return {};
    try {
        return kernels::Tuning::parse(read_text_file(file, uint64_t{1} << 20)).value_or(kernels::Tuning{});
    } catch (const Error&) {
        return {}; // a file that cannot be read costs speed, not the run
    }
}

void save_tuning(const std::filesystem::path& file, const kernels::Tuning& tuning) {
    std::error_code error;
    std::filesystem::create_directories(file.parent_path(), error);
    std::filesystem::path temporary = file;
    temporary += ".new";
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out << tuning.text();
    out.close();
    if (out) std::filesystem::rename(temporary, file, error);
    if (!out || error) throw Error(ErrorKind::io, std::format("{}: cannot be written.", file.string()));
}

} // namespace vkinfer::runtime
