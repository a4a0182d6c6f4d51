#include "runtime/vulkan_runner.h"

#include "base/error.h"
#include "format/gguf_file.h"
#include "gpu/buffer.h"
#include "gpu/device.h"
#include "gpu/instance.h"
#include "gpu/transfer.h"
#include "graph/executor.h"
#include "graph/step_layout.h"
#include "graph/submit_budget.h"
#include "kernels/fragment_map.h"
#include "kernels/ops.h"
#include "kernels/pipeline_store.h"
#include "kernels/policy.h"
#include "models/architecture.h"
#include "runtime/device_sampler.h"
#include "runtime/kv_pages.h"
#include "runtime/model_memory.h"
#include "runtime/placed_memory.h"
#include "runtime/runner_options.h"
#include "runtime/spilled_experts.h"
#include "runtime/step_builder.h"
#include "runtime/step_profile.h"
#include "runtime/tuner.h"
#include "runtime/weight_loader.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <format>
#include <map>
#include <optional>

namespace vkinfer::runtime {

namespace {

gpu::DeviceOptions device_options(const RunnerOptions& options) {
    gpu::DeviceOptions result;
    result.capture_statistics = options.capture_statistics;
    result.pipeline_cache.enabled = options.pipeline_cache;
    result.pipeline_cache.shader_hash = kernels::shader_library_hash();
    return result;
}

class Runner final : public VulkanRunner {
public:
    explicit Runner(const RunnerOptions& options)
        : instance_({.validation = options.validation, .log = options.log}),
          device_(instance_, options.device, device_options(options)), pipelines_(device_),
          policy_(kernels::choose_policy(device_.capabilities(), policy_options(options))), log_(options.log),
          profile_(options.profile),
          budget_ns_(1e6 * (options.submit_budget_ms >= 0
                                ? options.submit_budget_ms
                                : static_cast<int32_t>(device_.capabilities().submit_budget_ms))),
          rates_(policy_.compute_units) {
        if (options.on_device) options.on_device(device_);
        policy_.fragments = kernels::probe_fragment_map(device_, pipelines_, policy_);
        if (options.tuned) tuning_ = load_tuning(tuning_file(device_));
        const format::GgufFile file(options.model);
        const MemoryWish wish = memory_wish(options);
        const ModelMemory model = describe_memory(file, policy_, wish);
        architecture_ = model.architecture;
        config_ = model.config;
        memory_ = decide_memory(model, memory::profile_of(device_), wish);
        set_limits(wish);
        shapes_.emplace(step_shapes(model, wish, memory_.type_k, memory_.type_v));
        for (const std::string& line : memory_.arithmetic) log_.info("memory: {}", line);
        for (const std::string& name : model.weights.unused) {
            log_.debug("{}: tensor {} is not used by this architecture", file.name(), name);
        }
        placed_.emplace(device_, memory_);
        load(file, model.weights, options.progress);
        if (options.count_experts && config_.experts.n > 0) {
            const std::vector<uint32_t> zeros(uint64_t{config_.n_layers} * config_.experts.n, 0);
            expert_load_ = gpu::Buffer(
                device_,
                {.size_bytes = zeros.size() * sizeof(uint32_t), .domain = gpu::Domain::device, .name = "expert load"});
            gpu::write_buffer(device_, expert_load_, zeros);
            weights_.model.expert_load = expert_load_.address();
        }
        make_kv();
        make_step_buffers();
        if (options.backend_sampling == "on" || (options.backend_sampling == "auto" && !policy_.is_cpu)) {
            sampler_.emplace(device_, pipelines_, policy_, layout_, step_, kernel_logits(), config_.n_vocab,
                             profile_ && profile_->takes_times());
        }
        log_.info("{}: weights {}, KV cache {} for {} tokens", describe(),
                  gpu::size_text(memory_.plan.purpose_bytes[static_cast<size_t>(memory::Purpose::weights)]),
                  gpu::size_text(kv_.layer_bytes * config_.n_layers), uint64_t{pages_->n_free()} * kPageTokens);
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

    int32_t max_steps(std::span<const StepToken> tokens, std::span<const SampledRow> rows) override {
        if (!sampler_ || !sampler_->suits(rows)) return 0;
        find_chunks(tokens, chunks_);
        const bool goes_on =
            has_one_token_each() && rows.size() == tokens.size() && !(profile_ && profile_->takes_times());
        const int32_t most = goes_on ? static_cast<int32_t>(graph::kSampleSteps) : 1;
        if (budget_ns_ <= 0) return most;
        // A submission cannot be cut inside a dispatch, and steps that go on by themselves are one submission.
        if (has_too_long_dispatch(tokens)) return 0;
        const models::StepShape shape = shape_of(tokens);
        return std::clamp(static_cast<int32_t>(budget_ns_ / expected_ns(plan(shape), shape)), 1, most);
    }

    Result<Generated> generate(std::span<const StepToken> tokens, std::span<const SampledRow> rows,
                               int32_t n_steps) override {
        try {
            check(tokens, n_steps);
            return run_generation(tokens, rows, static_cast<uint32_t>(n_steps));
        } catch (const Error& error) {
            return std::unexpected(error);
        }
    }

    void set_end_tokens(std::span<const Token> tokens) override {
        if (sampler_) sampler_->set_end_tokens(tokens);
    }

    std::string describe() const override {
        const gpu::DeviceInfo& info = device_.info();
        return std::format("{} ({} {}), {}{}", info.name, info.driver_name, info.driver_info, policy_.describe(),
                           tuning_.empty() ? "" : std::format(", tuned for {} products", tuning_.size()));
    }

    void warm_up() override {
        // Empty steps: every workgroup returns at once, but drivers that compile at the first run do it here.
        std::memset(step_.mapped() + layout_.counts_offset(), 0, layout_.counts_bytes());
        if (sampler_) {
            for (uint32_t n = 1; n <= layout_.max_samples; n *= 2) {
                device_.wait(sampler_->plan(n, arena_.buffer).submit());
            }
        }
        for (uint32_t n = 1;; n = std::min(2 * n, max_batch())) {
            for (const uint32_t n_outputs : {1u, std::min(n, max_outputs())}) {
                for (const uint32_t longest : {1u, static_cast<uint32_t>(limits_.n_ctx)}) { // unsplit and split
                    device_.wait(plan(shapes_->shape_for(n, n_outputs, shapes_->max_tiles(n), longest)).submit());
                    if (n > static_cast<uint32_t>(limits_.max_sequences)) continue;
                    device_.wait(plan(shapes_->decode_shape(n, n_outputs, longest)).submit());
                }
            }
            if (n == max_batch()) break;
        }
    }

    kernels::PipelineStore& pipelines() override { return pipelines_; }
    gpu::Device& device() override { return device_; }
    const MemoryDecision& memory() const override { return memory_; }

    const kernels::Tuning& tune(const std::function<void(const TunedProduct&)>& on_product) override {
        std::vector<graph::Graph> graphs;
        for (const uint32_t n : {1u, 2u, 4u, 8u, 16u, 32u, 64u, 128u, 512u}) {
            if (n > max_batch() || (policy_.is_cpu && n > 64)) break;
            const models::StepShape shape =
                n == 1 ? shapes_->decode_shape(1, 1, 1) : shapes_->shape_for(n, 1, shapes_->max_tiles(n), n);
            graphs.push_back(
                architecture_->build({.config = config_, .weights = weights_.model, .kv = kv_, .shape = shape}));
        }
        plans_.clear();
        tuning_.merge(tune_products(device_, pipelines_, policy_, graphs, on_product));
        return tuning_;
    }

    std::pair<uint32_t, uint32_t> plan_size(int32_t n_tokens) override {
        const auto n = static_cast<uint32_t>(n_tokens);
        const uint32_t n_outputs = std::min(n, max_outputs()), longest = static_cast<uint32_t>(limits_.n_ctx);
        const models::StepShape shape = n_tokens <= limits_.max_sequences
                                            ? shapes_->decode_shape(n, n_outputs, longest)
                                            : shapes_->shape_for(n, n_outputs, shapes_->max_tiles(n), longest);
        const graph::Plan& p = plan(shape).plan();
        return {static_cast<uint32_t>(p.dispatches.size()), p.n_barriers()};
    }

    ExpertLoad expert_load() override {
        if (!expert_load_) return {};
        ExpertLoad load{config_.experts.n, config_.experts.n_used, {}};
        load.counts.resize(uint64_t{config_.n_layers} * config_.experts.n);
        gpu::read_buffer(device_, expert_load_, 0, std::as_writable_bytes(std::span(load.counts)));
        return load;
    }

    uint32_t validation_messages() const override { return instance_.validation_message_count(); }

private:
    uint32_t max_batch() const { return static_cast<uint32_t>(limits_.max_batch); }
    uint32_t max_outputs() const { return static_cast<uint32_t>(limits_.max_logits); }
    void set_limits(const MemoryWish& wish) {
        limits_.n_vocab = static_cast<int32_t>(config_.n_vocab);
        limits_.n_ctx = memory_.n_ctx;
        limits_.max_sequences = wish.max_sequences;
        limits_.max_batch = wish.max_batch();
        limits_.max_logits = wish.n_logits();
        if (limits_.n_ctx > static_cast<int32_t>(config_.n_ctx_train)) {
            log_.warning("-c {} is more than the {} tokens the model was trained with", limits_.n_ctx,
                         config_.n_ctx_train);
        }
        if (memory_.is_reduced) {
            log_.warning("fitted to what is free: {} tokens of context, K {}, V {}", memory_.n_ctx,
                         option_name(memory_.type_k), option_name(memory_.type_v));
        }
    }

    void load(const format::GgufFile& file, const WeightPlan& plan, const LoadCallback& progress) {
        const std::vector<memory::Split>& splits = memory_.plan.splits;
        const SplitWeights split = split_experts(plan, splits);
        std::vector<gpu::BufferRange> places;
        for (const auto& place : split.places)
            places.push_back(place.split ? placed_->far_range(*place.split) : placed_->range(place.request));
        const gpu::Buffer ring = placed_->take(memory_.list.ring);
        const gpu::Buffer stage = memory_.list.stage ? placed_->take(*memory_.list.stage) : gpu::Buffer();
        weights_ = load_weights(device_, pipelines_, file, split.weights, config_, places, {ring, stage}, progress);
        expert_homes_ = make_expert_homes(device_, plan, splits, weights_.model);
    }

    void make_kv() {
        kv_.type_k = memory_.type_k;
        kv_.type_v = memory_.type_v;
        kv_.page_tokens = kPageTokens;
        kv_.max_pages = memory_.list.step_layout.max_pages;
        for (uint32_t il = 0; il < config_.n_layers; ++il) {
            const size_t k = memory_.list.first_kv + size_t{2} * il;
            kv_.layers.push_back({placed_->address(k), placed_->address(k + 1)});
        }
        kv_.layer_bytes = memory_.list.requests[memory_.list.first_kv].size_bytes +
                          memory_.list.requests[memory_.list.first_kv + 1].size_bytes;
        pages_.emplace(kv_.max_pages * static_cast<uint32_t>(limits_.max_sequences), kPageTokens,
                       static_cast<uint32_t>(limits_.max_sequences), kv_.max_pages);
    }

    void make_step_buffers() {
        layout_ = memory_.list.step_layout;
        step_ = placed_->take(memory_.list.step);
        std::memset(step_.mapped(), 0, layout_.size_bytes());
        logits_ = placed_->take(memory_.list.logits);
        if (memory_.list.card_logits) card_logits_ = placed_->take(*memory_.list.card_logits);
        arena_.buffer = placed_->take(memory_.list.arena);
    }

    /// The recorded plan of a shape, made on first use. All plans share one arena: they never run at the same time.
    graph::RecordedPlan& plan(const models::StepShape& shape) {
        auto& recorded = plans_[shape];
        if (recorded) return *recorded;
        graph::Plan compiled = graph::compile(
            architecture_->build({.config = config_, .weights = weights_.model, .kv = kv_, .shape = shape}), policy_,
            &tuning_);
        if (compiled.arena_bytes > arena_.size()) {
            // The planner measured the largest shapes; one that it missed is paid for here, and reported.
            log_.warning("a plan needs an arena of {}, planned were {}", gpu::size_text(compiled.arena_bytes),
                         gpu::size_text(arena_.size()));
            // Plans that were recorded with the smaller arena keep it alive; they are made again when they are needed.
            plans_.clear();
            if (sampler_) sampler_->forget_plans();
            arena_.buffer = gpu::Buffer(
                device_, {.size_bytes = compiled.arena_bytes, .domain = gpu::Domain::device, .name = "arena"});
        }
        std::vector<gpu::BufferRange> externals;
        for (const graph::External& external : compiled.externals) externals.push_back(range_of(external));
        std::vector<uint32_t> piece_ends;
        if (budget_ns_ > 0) piece_ends = graph::cut_pieces(worst_case_ns(compiled, shape), budget_ns_);
        auto made =
            std::make_unique<graph::RecordedPlan>(device_, pipelines_, std::move(compiled), arena_.buffer, externals,
                                                  profile_ && profile_->takes_times(), std::move(piece_ends));
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
        if (external.name == models::kExternalLogits) return {kernel_logits(), 0, external.size_bytes};
        return {}; // K and V of a layer: reached by address
    }

    std::span<const float> run(std::span<const StepToken> tokens) {
        check(tokens);
        if (budget_ns_ <= 0 || !has_too_long_dispatch(tokens)) return run_step(tokens);
        // Halves one after the other: the second sees the keys that the first has stored.
        joined_logits_.clear();
        run_parts(tokens);
        return joined_logits_;
    }

    void run_parts(std::span<const StepToken> tokens) {
        if (tokens.size() > 1 && has_too_long_dispatch(tokens)) {
            run_parts(tokens.first(tokens.size() / 2));
            run_parts(tokens.subspan(tokens.size() / 2));
            return;
        }
        const std::span<const float> logits = run_step(tokens);
        joined_logits_.insert(joined_logits_.end(), logits.begin(), logits.end());
    }

    /// One step in as many submissions as the budget asks for.
    std::span<const float> run_step(std::span<const StepToken> tokens) {
        const models::StepShape shape = shape_of(tokens);
        graph::RecordedPlan& recorded = plan_for_rates(shape);
        write_step(step_.mapped(), layout_, tokens, chunks_, shapes_->group(), shape.rows_per_tile);
        const auto start = std::chrono::steady_clock::now();
        const auto n_outputs = static_cast<size_t>(std::ranges::count_if(tokens, &StepToken::want_logits));
        if (budget_ns_ <= 0) {
            lists_.clear();
            recorded.append_to(lists_);
            if (card_logits_ && n_outputs > 0) lists_.push_back(&copy_of_logits(n_outputs));
            device_.wait(graph::submit_lists(device_, lists_));
        } else {
            submit_within_budget(recorded, extent_of(shape));
            if (card_logits_ && n_outputs > 0) device_.wait(device_.submit(copy_of_logits(n_outputs)));
        }
        if (profile_) profile_step(recorded, shape, tokens.size(), std::chrono::steady_clock::now() - start);
        return logits_.mapped_as<const float>().first(n_outputs * config_.n_vocab);
    }

    /// Steps that follow each other on the device, and what was chosen in them.
    Generated run_generation(std::span<const StepToken> tokens, std::span<const SampledRow> rows, uint32_t n_steps) {
        const models::StepShape shape = shape_of(tokens, n_steps - 1);
        graph::RecordedPlan& recorded = plan_for_rates(shape);
        const auto n_rows = static_cast<uint32_t>(rows.size());
        graph::RecordedPlan& sampling = sampler_->plan(n_rows, arena_.buffer);
        write_step(step_.mapped(), layout_, tokens, chunks_, shapes_->group(), shape.rows_per_tile);
        sampler_->write(rows, n_steps, shape.is_decode ? shape.n_tiles / shape.n_tokens : 0);
        const auto start = std::chrono::steady_clock::now();
        if (n_steps == 1 && budget_ns_ > 0 && expected_ns(recorded, shape) > budget_ns_) {
            submit_within_budget(recorded, extent_of(shape));
            device_.wait(sampling.submit());
        } else {
            lists_.clear();
            for (uint32_t step = 0; step < n_steps; ++step) {
                recorded.append_to(lists_);
                sampling.append_to(lists_);
            }
            device_.wait(graph::submit_lists(device_, lists_));
            if (budget_ns_ > 0) {
                const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
                graph::costs_of(recorded.plan(), extent_of(shape), costs_);
                rates_.learn(costs_, elapsed.count() / n_steps);
            }
        }
        if (profile_) {
            profile_step(recorded, shape, tokens.size(), std::chrono::steady_clock::now() - start);
            graph::costs_of(sampling.plan(), {}, costs_);
            profile_->continue_step(phase_of_step(), sampling.plan(), costs_, sampling.dispatch_times());
        }
        const std::span<const Token> results = sampler_->results(n_rows, n_steps);
        if (card_logits_ && std::ranges::contains(results, kSampleOnHost)) {
            device_.wait(device_.submit(copy_of_logits(n_rows)));
        }
        return {results, logits_.mapped_as<const float>().first(rows.size() * config_.n_vocab)};
    }

    /// Where kernels write logits.
    const gpu::Buffer& kernel_logits() const { return card_logits_ ? card_logits_ : logits_; }

    /// Brings rows of logits from the card to the host, a few more where their number is no power of two.
    const gpu::CommandList& copy_of_logits(size_t n_rows) {
        const uint32_t n = StepShapes::bucket(static_cast<uint32_t>(n_rows), max_outputs());
        const auto found = logit_copies_.find(n);
        if (found != logit_copies_.end()) return found->second;
        gpu::CommandList list(device_, {.name = "copy of logits", .reusable = true});
        const uint64_t bytes = uint64_t{4} * n * config_.n_vocab;
        list.copy({card_logits_, 0, bytes}, {logits_, 0, bytes});
        list.end();
        return logit_copies_.emplace(n, std::move(list)).first->second;
    }

    void profile_step(const graph::RecordedPlan& recorded, const models::StepShape& shape, size_t n_tokens,
                      std::chrono::duration<double, std::nano> wall) {
        graph::costs_of(recorded.plan(), extent_of(shape), costs_);
        profile_->add_step(phase_of_step(), n_tokens, recorded.plan(), costs_, recorded.dispatch_times(), wall.count());
    }

    /// Of the step in chunks_.
    StepPhase phase_of_step() const {
        const bool reads_prompt = std::ranges::any_of(chunks_, [](const StepChunk& c) { return c.n_tokens > 1; });
        return reads_prompt ? StepPhase::prefill : StepPhase::decode;
    }

    /// Also sets chunks_. `n_more`: tokens that each sequence may grow by within the step.
    models::StepShape shape_of(std::span<const StepToken> tokens, uint32_t n_more = 0) {
        find_chunks(tokens, chunks_);
        const auto n_tokens = static_cast<uint32_t>(tokens.size());
        const auto n_outputs = static_cast<uint32_t>(std::ranges::count_if(tokens, &StepToken::want_logits));
        uint32_t longest = 0;
        for (const StepChunk& chunk : chunks_)
            longest = std::max(longest, chunk.first_position + chunk.n_tokens + n_more);
        if (has_one_token_each()) return shapes_->decode_shape(n_tokens, n_outputs, longest);
        const uint32_t rows = shapes_->rows_per_tile(StepShapes::bucket(n_tokens, max_batch()));
        return shapes_->shape_for(n_tokens, n_outputs, count_tiles(chunks_, shapes_->group(), rows), longest);
    }

    /// Of the step in chunks_: no token sees another one of the step.
    bool has_one_token_each() {
        seen_.assign(static_cast<size_t>(limits_.max_sequences), false);
        return std::ranges::all_of(chunks_, [&](const StepChunk& chunk) {
            const bool is_first = !seen_[chunk.sequence];
            seen_[chunk.sequence] = true;
            return is_first && chunk.n_tokens == 1;
        });
    }

    /// Of the step in chunks_.
    graph::KvExtent extent_of(const models::StepShape& shape) const {
        graph::KvExtent extent{.n_tokens = shape.n_tokens, .n_tiles = shape.n_tiles};
        for (const StepChunk& chunk : chunks_)
            extent.add_chunk(chunk.first_position, chunk.n_tokens, shapes_->group(), shape.rows_per_tile);
        return extent;
    }

    /// Estimated nanoseconds of the step in chunks_; also sets costs_.
    double expected_ns(const graph::RecordedPlan& recorded, const models::StepShape& shape) {
        graph::costs_of(recorded.plan(), extent_of(shape), costs_);
        double ns = 0;
        for (const graph::Cost& cost : costs_) ns += rates_.estimate_ns(cost);
        return ns;
    }

    /// Estimated nanoseconds of a plan's dispatches, for the longest sequences that its shape may meet: where it is cut
    /// into pieces; shorter ones submit several pieces at once. Valid until the next call.
    std::span<const double> worst_case_ns(const graph::Plan& plan, const models::StepShape& shape) {
        const auto n_ctx = static_cast<uint64_t>(limits_.n_ctx);
        graph::costs_of(plan,
                        {.n_tokens = shape.n_tokens,
                         .n_tiles = shape.n_tiles,
                         .pairs = shape.n_tokens * n_ctx,
                         .tile_keys = shape.n_tiles * n_ctx},
                        costs_);
        dispatch_ns_.clear();
        for (const graph::Cost& cost : costs_) dispatch_ns_.push_back(rates_.estimate_ns(cost));
        return dispatch_ns_;
    }

    /// The plan, recorded anew when the rates have changed so much that its pieces are far too short or too long.
    graph::RecordedPlan& plan_for_rates(const models::StepShape& shape) {
        graph::RecordedPlan& recorded = plan(shape);
        if (budget_ns_ <= 0) return recorded;
        graph::group_pieces(worst_case_ns(recorded.plan(), shape), budget_ns_, groups_);
        const size_t now = groups_.size();
        if (recorded.n_pieces() <= 2 * now && now <= size_t{2} * recorded.n_pieces()) return recorded;
        plans_.erase(shape);
        return plan(shape);
    }

    /// A submission cannot be cut inside a dispatch; a step of fewer tokens has shorter ones.
    bool has_too_long_dispatch(std::span<const StepToken> tokens) {
        if (tokens.size() == 1) return false;
        const models::StepShape shape = shape_of(tokens);
        graph::costs_of(plan(shape).plan(), extent_of(shape), costs_);
        return std::ranges::any_of(costs_,
                                   [&](const graph::Cost& cost) { return rates_.estimate_ns(cost) > budget_ns_; });
    }

    /// Submits groups of pieces that stay within the budget, two in flight, and learns from how long they take.
    void submit_within_budget(graph::RecordedPlan& recorded, const graph::KvExtent& extent) {
        graph::costs_of(recorded.plan(), extent, costs_);
        piece_ns_.clear();
        uint32_t first = 0;
        for (const uint32_t end : recorded.piece_ends()) {
            double ns = 0;
            for (; first < end; ++first) ns += rates_.estimate_ns(costs_[first]);
            piece_ns_.push_back(ns);
        }
        using Clock = std::chrono::steady_clock;
        Clock::time_point start = Clock::now();
        const auto finish = [&](const graph::Group& group, gpu::Ticket ticket) {
            device_.wait(ticket);
            const Clock::time_point now = Clock::now();
            const uint32_t begin = group.first == 0 ? 0 : recorded.piece_ends()[group.first - 1];
            const uint32_t end = recorded.piece_ends()[group.last - 1];
            rates_.learn(std::span(costs_).subspan(begin, end - begin),
                         std::chrono::duration<double, std::nano>(now - start).count());
            start = now;
        };
        std::optional<std::pair<graph::Group, gpu::Ticket>> running;
        graph::group_pieces(piece_ns_, budget_ns_, groups_);
        for (const graph::Group& group : groups_) {
            const gpu::Ticket ticket = recorded.submit(group.first, group.last);
            if (running) finish(running->first, running->second);
            running = {group, ticket};
        }
        if (running) finish(running->first, running->second);
    }

    /// What would read or write outside of buffers is refused here, once, rather than guarded in every kernel.
    void check(std::span<const StepToken> tokens, int32_t n_steps = 1) const {
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
            VKINFER_ASSERT(token.position >= 0 && n_steps > 0);
            VKINFER_ASSERT(static_cast<size_t>(token.position + n_steps) <= pages.size() * kPageTokens);
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
    std::shared_ptr<StepProfile> profile_; ///< only when somebody profiles
    kernels::Tuning tuning_;               ///< empty: nobody measured here
    const models::Architecture* architecture_ = nullptr;
    models::ModelConfig config_;
    RunnerLimits limits_;
    MemoryDecision memory_;
    std::optional<StepShapes> shapes_;
    std::optional<PlacedMemory> placed_; ///< weights and KV pools
    LoadedWeights weights_;
    models::KvConfig kv_;
    std::optional<KvPages> pages_;
    graph::StepLayout layout_;
    gpu::Buffer step_;
    gpu::Buffer logits_;                                ///< for the host
    gpu::Buffer card_logits_;                           ///< of a card whose logits stay there until the host wants them
    std::map<uint32_t, gpu::CommandList> logit_copies_; ///< by rows
    gpu::Buffer expert_load_;                           ///< only when somebody counts
    gpu::Buffer expert_homes_;                          ///< only where experts were spilled
    Arena arena_;
    std::optional<DeviceSampler> sampler_; ///< only when tokens are chosen on the device
    std::map<models::StepShape, std::unique_ptr<graph::RecordedPlan>> plans_;
    std::vector<StepChunk> chunks_;
    std::vector<bool> seen_; ///< sequences, while a step is looked at
    // Of the step being submitted; members, so that a token allocates nothing.
    std::vector<graph::Cost> costs_;
    std::vector<double> dispatch_ns_, piece_ns_;
    std::vector<graph::Group> groups_;
    std::vector<const gpu::CommandList*> lists_;
    double budget_ns_ = 0; ///< of one submission; 0: the driver has no watchdog that is known
    graph::RateModel rates_;
    std::vector<float> joined_logits_; ///< of a step that had to be split
};

} // namespace

std::unique_ptr<VulkanRunner> create_vulkan_runner(const RunnerOptions& options) {
    return std::make_unique<Runner>(options);
}

} // namespace vkinfer::runtime
