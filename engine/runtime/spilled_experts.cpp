#include "runtime/spilled_experts.h"

#include "gpu/transfer.h"
#include "kernels/ops.h"

#include <algorithm>
#include <cstring>

namespace vkinfer::runtime {

namespace {

using models::TensorNeed;

constexpr const char* kFar = ".far";

/// Appends rows first .. first + n - 1 of the stack.
void append_rows(std::vector<TensorNeed::Source>& to, const std::vector<TensorNeed::Source>& stack, uint32_t first,
                 uint32_t n) {
    for (const TensorNeed::Source& source : stack) {
        if (first >= source.n_rows) {
            first -= source.n_rows;
            continue;
        }
        TensorNeed::Source part = source;
        part.n_rows = std::min(n, source.n_rows - first);
        part.first_row = source.first_row + first;
        part.all_rows = source.all_rows == 0 ? source.n_rows : source.all_rows;
        n -= part.n_rows;
        first = 0;
        TensorNeed::Source* last = to.empty() ? nullptr : &to.back();
        if (last != nullptr && last->name == part.name && last->first_col == part.first_col &&
            last->first_row + last->n_rows == part.first_row) {
            last->n_rows += part.n_rows;
        } else {
            to.push_back(std::move(part));
        }
        if (n == 0) return;
    }
}

uint32_t n_groups(const WeightItem& item) {
    return static_cast<uint32_t>(item.n_rows / (uint64_t{item.need.n_parts} * item.need.part_rows));
}

/// A matrix of these experts only.
WeightItem part_of(const WeightItem& item, std::span<const uint32_t> experts, const char* suffix) {
    WeightItem part = item;
    part.need.key += suffix;
    part.need.sources.clear();
    for (uint32_t group = 0; group < n_groups(item); ++group) {
        for (const uint32_t expert : experts) {
            append_rows(part.need.sources, item.need.sources,
                        (group * item.need.n_parts + expert) * item.need.part_rows, item.need.part_rows);
        }
    }
    part.n_rows = uint64_t{n_groups(item)} * experts.size() * item.need.part_rows;
    part.set_sizes(item.row_scales_offset != 0);
    return part;
}

std::vector<uint32_t> near_parts(const WeightItem& item, const memory::Split& split) {
    std::vector<uint32_t> parts;
    for (uint32_t e = 0; e < item.need.n_parts; ++e)
        if (!std::ranges::binary_search(split.far_parts, e)) parts.push_back(e);
    return parts;
}

} // namespace

SplitWeights split_experts(const WeightPlan& plan, std::span<const memory::Split> splits) {
    SplitWeights result{.weights = plan, .places = {}};
    std::vector<WeightItem>& items = result.weights.items;
    items.clear();
    size_t next = 0;
    for (size_t i = 0; i < plan.items.size(); ++i) {
        const WeightItem& item = plan.items[i];
        if (next == splits.size() || splits[next].request != i) {
            items.push_back(item);
            result.places.push_back({.request = item.twin.value_or(i), .split = {}});
            continue;
        }
        items.push_back(part_of(item, near_parts(item, splits[next]), ""));
        result.places.push_back({.request = i, .split = {}});
        items.push_back(part_of(item, splits[next].far_parts, kFar));
        result.places.push_back({.request = i, .split = next});
        VKINFER_ASSERT(items[items.size() - 2].size_bytes <= splits[next].near_bytes &&
                       items.back().size_bytes <= splits[next].far_bytes);
        ++next;
    }
    return result;
}

gpu::Buffer make_expert_homes(gpu::Device& device, const WeightPlan& plan, std::span<const memory::Split> splits,
                              models::LoadedModel& model) {
    if (splits.empty()) return {};
    std::vector<kernels::FarExperts> far(splits.size());
    std::vector<uint32_t> homes;
    std::map<uint32_t, size_t> home_of_layer; // where a layer's places begin
    for (size_t i = 0; i < splits.size(); ++i) {
        const memory::Split& split = splits[i];
        const WeightItem& item = plan.items[split.request];
        const kernels::Weight weight = model.matrix(item.need.key + kFar);
        const auto n_far = static_cast<uint32_t>(split.far_parts.size());
        const uint32_t strips = item.need.part_rows / kernels::kStripRows;
        far[i] = {.codes = weight.codes,
                  .scales = weight.scales,
                  .row_scales = weight.row_scales,
                  // Up rows of all of them behind their gate rows, or an expert's own behind its own.
                  .up_strips = n_groups(item) == 2 ? n_far * strips : strips / 2};
        const auto layer = static_cast<uint32_t>(layer_of(item.need.key));
        if (!home_of_layer.try_emplace(layer, homes.size()).second) continue;
        uint32_t n_near_seen = 0, n_far_seen = 0;
        for (uint32_t e = 0; e < item.need.n_parts; ++e) {
            const bool is_far = std::ranges::binary_search(split.far_parts, e);
            homes.push_back(is_far ? item.need.n_parts - n_far + n_far_seen++ : n_near_seen++);
        }
    }
    const uint64_t far_bytes = far.size() * sizeof(kernels::FarExperts);
    std::vector<std::byte> bytes(far_bytes + homes.size() * sizeof(uint32_t));
    std::memcpy(bytes.data(), far.data(), far_bytes);
    std::memcpy(bytes.data() + far_bytes, homes.data(), homes.size() * sizeof(uint32_t));
    gpu::Buffer buffer(device,
                       {.size_bytes = bytes.size(), .domain = gpu::Domain::device, .name = "places of experts"});
    gpu::write_buffer(device, buffer, 0, bytes);
    for (size_t i = 0; i < splits.size(); ++i) {
        const WeightItem& item = plan.items[splits[i].request];
        model.far[item.need.key] = {.address = buffer.address() + i * sizeof(kernels::FarExperts),
                                    .n_near = item.need.n_parts - static_cast<uint32_t>(splits[i].far_parts.size())};
    }
    for (const auto& [layer, first] : home_of_layer)
        model.expert_homes[layer] = buffer.address() + far_bytes + first * sizeof(uint32_t);
    return buffer;
}

} // namespace vkinfer::runtime
