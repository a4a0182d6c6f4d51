#include "runtime/vulkan_runner.h"

#include "base/error.h"
#include "format/gguf_file.h"
#include "gpu/buffer.h"
#include "gpu/device.h"
#include "gpu/instance.h"
#include "graph/executor.h"
#include "graph/step_layout.h"
#include "kernels/fragment_map.h"
#include "kernels/ops.h"
#include "kernels/pipeline_store.h"
#include "kernels/policy.h"
#include "models/architecture.h"
#include "runtime/kv_pages.h"
#include "runtime/step_builder.h"
#include "runtime/weight_loader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <format>
#include <map>
#include <optional>

namespace vkinfer::runtime {

namespace {

constexpr uint32_t kPageTokens = 64;

/// Buckets: powers of two up to the micro-batch, so that a step wastes at most half of its columns.
uint32_t bucket(uint32_t n, uint32_t largest) {
    return std::min(std::bit_ceil(n), largest);
}

gpu::DeviceOptions device_options(const RunnerOptions& options) {
    gpu::DeviceOptions result;
    result.capture_statistics = options.capture_statistics;
    result.pipeline_cache.enabled = options.pipeline_cache;
    result.pipeline_cache.shader_hash = kernels::shader_library_hash();
    return result;
}

kernels::PolicyOptions policy_options(const RunnerOptions& options) {
    const auto coopmat = kernels::parse_coopmat_mode(options.coopmat);
    if (!coopmat) {
        throw Error(ErrorKind::invalid_input, std::format("--coopmat {}: expected auto, on or off.", options.coopmat));
    }
    const auto act = kernels::parse_activation_mode(options.act);
    if (!act) {
        throw Error(ErrorKind::invalid_input, std::format("--act {}: expected auto, f32, f16 or q8.", options.act));
    }
    return {*coopmat, *act};
}

class Runner final : public VulkanRunner {
public:
    explicit Runner(const RunnerOptions& options)
        : instance_({.validation = options.validation, .log = options.log}),
          device_(instance_, options.device, device_options(options)), pipelines_(device_),
          policy_(kernels::choose_policy(device_.capabilities(), policy_options(options))), log_(options.log) {
        policy_.fragments = kernels::probe_fragment_map(device_, pipelines_, policy_);
        const format::GgufFile file(options.model);
        architecture_ = &models::find_architecture(file.get_string("general.architecture"));
        config_ = architecture_->read(file);
        check_options(options);
        weights_ = load_weights(device_, pipelines_, file, architecture_->tensors(config_, file), config_, log_,
                                options.progress);
        make_kv(options);
        make_step_buffers();
        log_.info("{}: weights {}, KV cache {} for {} tokens", describe(), gpu::size_text(weights_.size_bytes),
                  gpu::size_text(kv_bytes_), uint64_t{pages_->n_free()} * kPageTokens);
    }

    const RunnerLimits& limits() const override { return limits_; }

    Result<void> reserve(int32_t sequence, int32_t n_tokens) override {
        if (n_tokens > limits_.n_ctx) {
            return fail(ErrorKind::context_overflow,
                        std::format("{} tokens do not fit a context of {}.", n_tokens, limits_.n_ctx),
                        "Raise -c or shorten the prompt.");
        }
        const auto s = static_cast<uint32_t>(sequence);
        const size_t before = pages_->pages_of(s).size();
        if (auto reserved = pages_->reserve(s, static_cast<uint32_t>(n_tokens)); !reserved) return reserved;
        const auto pages = pages_->pages_of(s);
        auto* table =
            reinterpret_cast<uint32_t*>(step_.mapped() + layout_.pages_offset()) + uint64_t{s} * layout_.max_pages;
        std::copy(pages.begin() + static_cast<std::ptrdiff_t>(before), pages.end(), table + before);
        return {};
    }

    void truncate(int32_t sequence, int32_t n_tokens) override {
        pages_->truncate(static_cast<uint32_t>(sequence), static_cast<uint32_t>(n_tokens));
    }

    Result<std::span<const float>> evaluate(std::span<const StepToken> tokens) override {
        try {
            return run(tokens);
        } catch (const Error& error) {
            return std::unexpected(error);
        }
    }

    std::string describe() const override {
        const gpu::DeviceInfo& info = device_.info();
        return std::format("{} ({} {}), {}", info.name, info.driver_name, info.driver_info, policy_.describe());
    }

    void warm_up() override {
        // Empty steps: every workgroup returns at once, but drivers that compile at the first run do it here.
        std::memset(step_.mapped() + layout_.counts_offset(), 0, layout_.counts_bytes());
        for (uint32_t n = 1;; n = std::min(2 * n, max_batch())) {
            for (const uint32_t n_outputs : {1u, std::min(n, max_outputs())}) {
                device_.wait(plan(shape_for(n, n_outputs, max_tiles(n))).submit());
            }
            if (n == max_batch()) break;
        }
    }

    kernels::PipelineStore& pipelines() override { return pipelines_; }
    gpu::Device& device() override { return device_; }

    std::pair<uint32_t, uint32_t> plan_size(int32_t n_tokens) override {
        const auto n = static_cast<uint32_t>(n_tokens);
        const graph::Plan& p = plan(shape_for(n, std::min(n, max_outputs()), max_tiles(n))).plan();
        return {static_cast<uint32_t>(p.dispatches.size()), p.n_barriers()};
    }

    uint32_t validation_messages() const override { return instance_.validation_message_count(); }

private:
    uint32_t max_batch() const { return static_cast<uint32_t>(limits_.max_batch); }
    uint32_t max_outputs() const { return static_cast<uint32_t>(limits_.max_logits); }
    uint32_t group() const { return config_.n_heads / config_.n_kv_heads; }

    uint32_t rows_per_tile(uint32_t n_tokens) const {
        return kernels::attention_rows({.n_heads = config_.n_heads,
                                        .n_kv_heads = config_.n_kv_heads,
                                        .head_size = config_.head_size,
                                        .type_k = kv_.type_k,
                                        .type_v = kv_.type_v},
                                       n_tokens, policy_);
    }

    /// Most tiles that n_tokens can need, however they spread over sequences.
    uint32_t max_tiles(uint32_t n_tokens) const {
        const uint32_t rows = rows_per_tile(n_tokens);
        const uint32_t chunks = std::min(n_tokens, static_cast<uint32_t>(limits_.max_sequences));
        return (n_tokens * group()) / rows + chunks * ((group() + rows - 1) / rows);
    }

    models::StepShape shape_for(uint32_t n_tokens, uint32_t n_outputs, uint32_t n_tiles) const {
        models::StepShape shape;
        shape.n_tokens = bucket(n_tokens, max_batch());
        shape.n_outputs = n_outputs == 0 ? 0 : bucket(n_outputs, std::min(shape.n_tokens, max_outputs()));
        shape.rows_per_tile = rows_per_tile(shape.n_tokens);
        shape.n_tiles = bucket(n_tiles, max_tiles(shape.n_tokens));
        // Split K/V so that a device is filled; a prefill fills it by itself.
        const uint32_t groups = config_.n_kv_heads * shape.n_tiles;
        const uint32_t wanted = policy_.compute_units * 4;
        shape.n_splits =
            groups >= wanted ? 1 : std::min(policy_.attention_splits_decode, (wanted + groups - 1) / groups);
        return shape;
    }

    void check_options(const RunnerOptions& options) {
        for (const auto& [flag, type] : {std::pair{"-ctk", options.type_k}, std::pair{"-ctv", options.type_v}}) {
            if (!kernels::is_kv_type(type)) {
                throw Error(ErrorKind::unsupported,
                            std::format("{} {}: no kernel for this type.", flag, format::to_string(type)),
                            "Use f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0 or iq4_nl.");
            }
            if (config_.head_size % format::traits(type).block_elements != 0) {
                throw Error(ErrorKind::unsupported,
                            std::format("{} {}: heads of {} dimensions are not whole blocks of {}.", flag,
                                        format::to_string(type), config_.head_size,
                                        format::traits(type).block_elements),
                            "Use f16.");
            }
        }
        const auto in_range = [](const char* flag, int64_t value, int64_t low, int64_t high) {
            if (value < low || value > high) {
                throw Error(ErrorKind::invalid_input,
                            std::format("{} is {}, expected {} to {}.", flag, value, low, high));
            }
        };
        in_range("-c", options.n_ctx, 0, 1 << 24);
        in_range("-ub", options.n_ubatch, 1, 8192);
        in_range("-np", options.max_sequences, 1, 1024);
        limits_.n_vocab = static_cast<int32_t>(config_.n_vocab);
        limits_.n_ctx = options.n_ctx > 0 ? options.n_ctx : static_cast<int32_t>(config_.n_ctx_train);
        limits_.max_sequences = options.max_sequences;
        limits_.max_batch = std::max(options.n_ubatch, options.max_sequences);
        limits_.max_logits =
            options.max_logits > 0 ? std::min(options.max_logits, limits_.max_batch) : options.max_sequences;
        if (limits_.n_ctx > static_cast<int32_t>(config_.n_ctx_train)) {
            log_.warning("-c {} is more than the {} tokens the model was trained with", limits_.n_ctx,
                         config_.n_ctx_train);
        }
    }

    void make_kv(const RunnerOptions& options) {
        kv_.type_k = options.type_k;
        kv_.type_v = options.type_v;
        kv_.page_tokens = kPageTokens;
        kv_.max_pages = (static_cast<uint32_t>(limits_.n_ctx) + kPageTokens - 1) / kPageTokens;
        const uint64_t n_pages = uint64_t{kv_.max_pages} * static_cast<uint32_t>(limits_.max_sequences);
        const auto pool_bytes = [&](format::TensorType type) {
            return n_pages * kernels::kv_page_bytes(type, config_.n_kv_heads, kPageTokens, config_.head_size);
        };
        kv_.layer_bytes = pool_bytes(kv_.type_k) + pool_bytes(kv_.type_v);
        try {
            for (uint32_t il = 0; il < config_.n_layers; ++il) {
                const auto pool = [&](const char* name, format::TensorType type) {
                    kv_buffers_.emplace_back(device_, gpu::BufferDesc{.size_bytes = pool_bytes(type),
                                                                      .domain = gpu::Domain::device,
                                                                      .name = std::format("{}.{}", name, il)});
                    return kv_buffers_.back().address();
                };
                const uint64_t k = pool("k", kv_.type_k);
                kv_.layers.push_back({k, pool("v", kv_.type_v)});
            }
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::out_of_memory) throw;
            throw Error(ErrorKind::out_of_memory,
                        std::format("The KV cache for {} x {} tokens needs {}: {}", limits_.max_sequences,
                                    limits_.n_ctx, gpu::size_text(kv_.layer_bytes * config_.n_layers), error.message()),
                        "Lower -c or -np, or use -ctk q8_0 -ctv q8_0.");
        }
        kv_bytes_ = kv_.layer_bytes * config_.n_layers;
        pages_.emplace(static_cast<uint32_t>(n_pages), kPageTokens, static_cast<uint32_t>(limits_.max_sequences),
                       kv_.max_pages);
    }

    void make_step_buffers() {
        layout_.max_tokens = max_batch();
        layout_.max_outputs = max_outputs();
        layout_.max_tiles = 0;
        for (uint32_t n = 1; n <= max_batch(); ++n) layout_.max_tiles = std::max(layout_.max_tiles, max_tiles(n));
        layout_.max_sequences = static_cast<uint32_t>(limits_.max_sequences);
        layout_.max_pages = kv_.max_pages;
        step_ =
            gpu::Buffer(device_, {.size_bytes = layout_.size_bytes(), .domain = gpu::Domain::upload, .name = "step"});
        std::memset(step_.mapped(), 0, layout_.size_bytes());
        logits_ = gpu::Buffer(device_, {.size_bytes = uint64_t{4} * max_outputs() * config_.n_vocab,
                                        .domain = gpu::Domain::readback,
                                        .name = "logits"});
    }

    /// The recorded plan of a shape, made on first use. All plans share one arena: they never run at the same time.
    graph::RecordedPlan& plan(const models::StepShape& shape) {
        auto& recorded = plans_[shape];
        if (recorded) return *recorded;
        graph::Plan compiled = graph::compile(
            architecture_->build({.config = config_, .weights = weights_.model, .kv = kv_, .shape = shape}), policy_);
        if (compiled.arena_bytes > arena_.size()) {
            // Plans that were recorded with the smaller arena keep it alive; they are made again when they are needed.
            plans_.clear();
            arena_.buffer = gpu::Buffer(
                device_, {.size_bytes = compiled.arena_bytes, .domain = gpu::Domain::device, .name = "arena"});
        }
        std::vector<gpu::BufferRange> externals;
        for (const graph::External& external : compiled.externals) externals.push_back(range_of(external));
        auto made =
            std::make_unique<graph::RecordedPlan>(device_, pipelines_, std::move(compiled), arena_.buffer, externals);
        auto& place = plans_[shape];
        place = std::move(made);
        return *place;
    }

    gpu::BufferRange range_of(const graph::External& external) const {
        const auto part = [&](uint64_t offset, uint64_t size) { return gpu::BufferRange(step_, offset, size); };
        if (external.name == models::kExternalCounts) return part(layout_.counts_offset(), layout_.counts_bytes());
        if (external.name == models::kExternalTokens) return part(layout_.tokens_offset(), external.size_bytes);
        if (external.name == models::kExternalOutputs) return part(layout_.outputs_offset(), external.size_bytes);
        if (external.name == models::kExternalTiles) return part(layout_.tiles_offset(), external.size_bytes);
        if (external.name == models::kExternalPages) return part(layout_.pages_offset(), layout_.pages_bytes());
        if (external.name == models::kExternalLogits) return {logits_, 0, external.size_bytes};
        return {}; // K and V of a layer: reached by address
    }

    std::span<const float> run(std::span<const StepToken> tokens) {
        check(tokens);
        find_chunks(tokens, chunks_);
        const auto n_tokens = static_cast<uint32_t>(tokens.size());
        const auto n_outputs = static_cast<uint32_t>(std::ranges::count_if(tokens, &StepToken::want_logits));
        const uint32_t rows = rows_per_tile(bucket(n_tokens, max_batch()));
        const uint32_t n_tiles = count_tiles(chunks_, group(), rows);
        graph::RecordedPlan& recorded = plan(shape_for(n_tokens, n_outputs, n_tiles));
        write_step(step_.mapped(), layout_, tokens, chunks_, group(), rows);
        device_.wait(recorded.submit());
        return logits_.mapped_as<const float>().first(uint64_t{n_outputs} * config_.n_vocab);
    }

    /// What would read or write outside of buffers is refused here, once, rather than guarded in every kernel.
    void check(std::span<const StepToken> tokens) const {
        if (tokens.empty() || tokens.size() > max_batch()) {
            throw Error(ErrorKind::invalid_input,
                        std::format("{} tokens in a step, at most {}.", tokens.size(), max_batch()));
        }
        uint32_t n_outputs = 0;
        for (const StepToken& token : tokens) {
            n_outputs += token.want_logits;
            if (token.token < 0 || token.token >= limits_.n_vocab) {
                throw Error(ErrorKind::invalid_input,
                            std::format("Token id {} is outside the vocabulary of {}.", token.token, limits_.n_vocab));
            }
            VKINFER_ASSERT(token.sequence >= 0 && token.sequence < limits_.max_sequences);
            const auto pages = pages_->pages_of(static_cast<uint32_t>(token.sequence));
            VKINFER_ASSERT(token.position >= 0 && static_cast<uint32_t>(token.position) < pages.size() * kPageTokens);
        }
        if (n_outputs > max_outputs()) {
            throw Error(ErrorKind::invalid_input,
                        std::format("{} rows of logits in a step, at most {}.", n_outputs, max_outputs()));
        }
    }

    struct Arena {
        gpu::Buffer buffer;
        uint64_t size() const { return buffer ? buffer.size_bytes() : 0; }
    };

    gpu::Instance instance_;
    gpu::Device device_;
    kernels::PipelineStore pipelines_;
    kernels::Policy policy_;
    Log log_;
    const models::Architecture* architecture_ = nullptr;
    models::ModelConfig config_;
    RunnerLimits limits_;
    LoadedWeights weights_;
    std::vector<gpu::Buffer> kv_buffers_;
    models::KvConfig kv_;
    uint64_t kv_bytes_ = 0;
    std::optional<KvPages> pages_;
    graph::StepLayout layout_;
    gpu::Buffer step_;
    gpu::Buffer logits_;
    Arena arena_;
    std::map<models::StepShape, std::unique_ptr<graph::RecordedPlan>> plans_;
    std::vector<StepChunk> chunks_;
};

} // namespace

std::unique_ptr<VulkanRunner> create_vulkan_runner(const RunnerOptions& options) {
    return std::make_unique<Runner>(options);
}

} // namespace vkinfer::runtime
