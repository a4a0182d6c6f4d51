#include "runtime/device_sampler.h"

#include "base/error.h"
#include "models/architecture.h"

#include <algorithm>
#include <bit>
#include <iterator>

namespace vkinfer::runtime {

using graph::SampleRowRecord;

graph::Graph sampling_graph(uint32_t n_rows, uint32_t n_vocab, const graph::StepLayout& layout) {
    graph::Graph g;
    const auto external = [&](std::string_view name, uint64_t size) { return g.external(std::string(name), size); };
    g.add("sample", kernels::Sample{.n_rows = n_rows, .n_vocab = n_vocab, .result_stride = layout.max_samples},
          {external(models::kExternalCounts, layout.counts_bytes()),
           external(models::kExternalTokens, layout.tokens_bytes()),
           external(models::kExternalOutputs, layout.outputs_bytes()),
           external(models::kExternalTiles, layout.tiles_bytes()), external("sample rows", layout.sample_rows_bytes()),
           external("sample window", layout.sample_window_bytes()),
           external("sample edits", graph::StepLayout::sample_edits_bytes()),
           external("sample stops", graph::StepLayout::sample_stops_bytes()),
           external(models::kExternalLogits, uint64_t{4} * n_rows * n_vocab),
           external("sample results", layout.sample_results_bytes())});
    return g;
}

DeviceSampler::DeviceSampler(gpu::Device& device, kernels::PipelineStore& pipelines, const kernels::Policy& policy,
                             const graph::StepLayout& layout, const gpu::Buffer& step, const gpu::Buffer& logits,
                             uint32_t n_vocab, bool timestamps)
    : device_(device), pipelines_(pipelines), policy_(policy), layout_(layout), step_(step), logits_(logits),
      n_vocab_(n_vocab), timestamps_(timestamps) {
    results_.reserve(uint64_t{layout.max_samples} * graph::kSampleSteps);
}

void DeviceSampler::set_end_tokens(std::span<const Token> tokens) {
    has_room_for_ends_ = tokens.size() <= graph::kSampleStops;
    if (!has_room_for_ends_) return;
    auto* stops = place<uint32_t>(layout_.sample_stops_offset());
    stops[0] = static_cast<uint32_t>(tokens.size());
    std::ranges::copy(tokens, stops + 1);
}

bool DeviceSampler::suits(std::span<const SampledRow> rows) const {
    if (rows.empty() || rows.size() > layout_.max_samples || !has_room_for_ends_) return false;
    size_t n_edits = 0;
    return std::ranges::all_of(rows, [&](const SampledRow& row) {
        const Sampler& sampler = *row.sampler;
        n_edits += sampler.edits().size();
        const int32_t window = sampler.params().repeat_last_n;
        return sampler.params().top_k <= static_cast<int32_t>(graph::kSampleTopK) && n_edits <= graph::kSampleEdits &&
               (!sampler.has_penalties() || (window > 0 && window <= static_cast<int32_t>(graph::kSampleWindow)));
    });
}

void DeviceSampler::write(std::span<const SampledRow> rows, uint32_t n_steps, uint32_t tiles_per_row) {
    auto* records = place<SampleRowRecord>(layout_.sample_rows_offset());
    auto* edits = place<graph::SampleEditRecord>(layout_.sample_edits_offset());
    uint32_t n_edits = 0;
    for (uint32_t r = 0; r < rows.size(); ++r) {
        const Sampler& sampler = *rows[r].sampler;
        const SamplingParams& params = sampler.params();
        SampleRowRecord record;
        if (sampler.is_greedy()) record.flags |= SampleRowRecord::kGreedy;
        if (params.top_p < 1) {
            record.flags |= SampleRowRecord::kTopP;
            record.top_p = sampler.top_p_fraction();
        }
        if (rows[r].stops_at_end) record.flags |= SampleRowRecord::kStops;
        if (params.top_k > 0 && static_cast<uint32_t>(params.top_k) < n_vocab_) {
            record.top_k = static_cast<uint32_t>(params.top_k);
        }
        record.least_weight = sampler.least_weight();
        record.scale = 1.0f / params.temperature;
        if (sampler.has_penalties()) {
            record.flags |= SampleRowRecord::kPenalties;
            record.inverse_repeat = 1.0f / params.repeat_penalty;
            record.repeat = params.repeat_penalty;
            record.frequency = params.frequency_penalty;
            record.presence = params.presence_penalty;
            const std::span<const Token> window = sampler.window(rows[r].history);
            record.n_window = static_cast<uint32_t>(window.size());
            record.window_capacity = static_cast<uint32_t>(params.repeat_last_n);
            record.window_next = record.n_window % record.window_capacity;
            std::ranges::copy(window, place<uint32_t>(layout_.sample_window_offset()) + r * graph::kSampleWindow);
        }
        record.first_edit = n_edits;
        record.n_edits = static_cast<uint32_t>(sampler.edits().size());
        for (const Sampler::Edit& edit : sampler.edits()) {
            edits[n_edits++] = {static_cast<uint32_t>(edit.token), edit.bias};
        }
        record.first_tile = r * tiles_per_row;
        record.n_tiles = tiles_per_row;
        const auto split = [](uint64_t value, uint32_t(&words)[2]) {
            words[0] = static_cast<uint32_t>(value);
            words[1] = static_cast<uint32_t>(value >> 32);
        };
        split(sampler.seed(), record.seed);
        split(sampler.n_drawn(), record.n_drawn);
        records[r] = record;
    }
    place<uint32_t>(layout_.counts_offset())[graph::kCountRunning] = static_cast<uint32_t>(rows.size());
    auto* results = place<Token>(layout_.sample_results_offset());
    std::fill_n(results, uint64_t{n_steps} * layout_.max_samples, kNotGenerated);
}

graph::RecordedPlan& DeviceSampler::plan(uint32_t n_rows, const gpu::Buffer& arena) {
    const uint32_t bucket = std::min(std::bit_ceil(n_rows), layout_.max_samples);
    auto& recorded = plans_[bucket];
    if (recorded) return *recorded;
    graph::Plan compiled = graph::compile(sampling_graph(bucket, n_vocab_, layout_), policy_);
    const auto part = [&](uint64_t offset, uint64_t size) { return gpu::BufferRange(step_, offset, size); };
    const gpu::BufferRange externals[] = {part(layout_.counts_offset(), layout_.counts_bytes()),
                                          part(layout_.tokens_offset(), layout_.tokens_bytes()),
                                          part(layout_.outputs_offset(), layout_.outputs_bytes()),
                                          part(layout_.tiles_offset(), layout_.tiles_bytes()),
                                          part(layout_.sample_rows_offset(), layout_.sample_rows_bytes()),
                                          part(layout_.sample_window_offset(), layout_.sample_window_bytes()),
                                          part(layout_.sample_edits_offset(), graph::StepLayout::sample_edits_bytes()),
                                          part(layout_.sample_stops_offset(), graph::StepLayout::sample_stops_bytes()),
                                          {logits_, 0, uint64_t{4} * bucket * n_vocab_},
                                          part(layout_.sample_results_offset(), layout_.sample_results_bytes())};
    VKINFER_ASSERT(compiled.externals.size() == std::size(externals));
    recorded =
        std::make_unique<graph::RecordedPlan>(device_, pipelines_, std::move(compiled), arena, externals, timestamps_);
    return *recorded;
}

std::span<const Token> DeviceSampler::results(uint32_t n_rows, uint32_t n_steps) {
    const Token* results = place<Token>(layout_.sample_results_offset());
    results_.clear();
    for (uint32_t step = 0; step < n_steps; ++step, results += layout_.max_samples) {
        results_.insert(results_.end(), results, results + n_rows);
    }
    return results_;
}

} // namespace vkinfer::runtime
