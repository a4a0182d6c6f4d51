#include "runtime/weight_plan.h"

#include "base/error.h"

#include <algorithm>
#include <charconv>
#include <format>
#include <map>
#include <numeric>
#include <set>

namespace vkinfer::runtime {

namespace {

using models::TensorNeed;

/// Of the parts of an item: covers every kernel's loads.
constexpr uint64_t kAlignment = 256;

uint64_t align(uint64_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

const kernels::WeightLayout& layout_of(const format::GgufFile& file, const format::TensorInfo& tensor) {
    const kernels::WeightLayout* layout = kernels::find_weight_layout(tensor.type);
    if (layout == nullptr) {
        throw Error(ErrorKind::unsupported,
                    std::format("{}: tensor {} has type {}, for which there is no kernel.", file.name(), tensor.name,
                                format::to_string(tensor.type)),
                    std::format("Use a file with {}.", kernels::supported_weight_types()));
    }
    return *layout;
}

/// Whether any source has factors; checks that they divide among its rows.
bool has_row_scales(const format::GgufFile& file, const TensorNeed& need) {
    bool found = false;
    for (const auto& source : need.sources) {
        const format::TensorInfo* tensor = find_outer_factor(file, source.name);
        if (tensor == nullptr) continue;
        const uint64_t n = tensor->n_elements();
        const uint32_t n_rows = source.all_rows == 0 ? source.n_rows : source.all_rows;
        if (n == 0 || n_rows % n != 0) {
            throw Error(ErrorKind::invalid_input,
                        std::format("{}: tensor {} has {} values for the {} rows of {}.", file.name(), tensor->name, n,
                                    n_rows, source.name),
                        "Expected one, or one for each expert.");
        }
        found = true;
    }
    return found;
}

WeightItem describe_matrix(const format::GgufFile& file, const TensorNeed& need) {
    if (need.n_cols % kernels::kBlockElements != 0) {
        throw Error(ErrorKind::unsupported,
                    std::format("{}: rows of {} have {} elements.", file.name(), need.sources[0].name, need.n_cols),
                    std::format("Rows must be multiples of {}.", kernels::kBlockElements));
    }
    WeightItem item{.need = need};
    for (const auto& source : need.sources) {
        const format::TensorInfo& tensor = find_source(file, source, need.n_cols);
        if (item.layout != nullptr && tensor.type != item.type) {
            throw Error(ErrorKind::unsupported,
                        std::format("{}: {} has type {} and {} type {}, but they are one matrix.", file.name(),
                                    need.sources[0].name, format::to_string(item.type), tensor.name,
                                    format::to_string(tensor.type)),
                        "Re-export the file with one type for both.");
        }
        item.layout = &layout_of(file, tensor);
        item.type = tensor.type;
        item.n_rows += source.n_rows;
        item.file_bytes += tensor.row_bytes() * source.n_rows; // columns are read as whole rows
    }
    item.set_sizes(has_row_scales(file, need));
    return item;
}

WeightItem describe_vector(const format::GgufFile& file, const TensorNeed& need) {
    WeightItem item{.need = need};
    for (const auto& source : need.sources) {
        if (!source.name.empty()) find_source(file, source, 0);
        item.n_rows += source.n_rows;
    }
    item.size_bytes = item.n_rows * sizeof(float);
    return item;
}

} // namespace

const format::TensorInfo* find_outer_factor(const format::GgufFile& file, std::string_view weight_name) {
    constexpr std::string_view kWeight = ".weight";
    const format::TensorInfo* weight = file.find_tensor(weight_name);
    if (weight == nullptr || !weight_name.ends_with(kWeight) || !format::traits(weight->type).has_outer_factor)
        return nullptr;
    return file.find_tensor(std::string(weight_name.substr(0, weight_name.size() - kWeight.size())) + ".scale");
}

uint64_t WeightItem::scales_offset() const {
    return align(kernels::weight_code_bytes(*layout, n_rows, need.n_cols));
}

void WeightItem::set_sizes(bool has_row_scales) {
    size_bytes = scales_offset() + kernels::weight_scale_bytes(*layout, n_rows, need.n_cols);
    if (!has_row_scales) return;
    row_scales_offset = align(size_bytes);
    size_bytes = row_scales_offset + n_rows * sizeof(float);
}

uint64_t WeightPlan::size_bytes() const {
    return std::accumulate(items.begin(), items.end(), uint64_t{0},
                           [](uint64_t sum, const WeightItem& item) { return sum + item.size_bytes; });
}

const format::TensorInfo& find_source(const format::GgufFile& file, const TensorNeed::Source& source, uint32_t n_cols) {
    const format::TensorInfo* tensor = file.find_tensor(source.name);
    if (tensor == nullptr) {
        throw Error(ErrorKind::invalid_input, std::format("{}: tensor {} is missing.", file.name(), source.name),
                    "The file is incomplete or of another architecture than it says.");
    }
    const uint64_t cols = n_cols == 0 ? source.n_rows : source.all_cols != 0 ? source.all_cols : n_cols;
    const uint64_t rows = n_cols == 0 ? 1 : source.all_rows != 0 ? source.all_rows : source.n_rows;
    // A vector may be stored in rows, one an expert.
    const bool fits = n_cols == 0 ? tensor->n_elements() == cols : tensor->dims[0] == cols && tensor->n_rows() == rows;
    if (!fits) {
        throw Error(ErrorKind::invalid_input, std::format("{}: tensor {} has shape {}, its metadata asks for [{}, {}].",
                                                          file.name(), source.name, tensor->shape_text(), cols, rows));
    }
    return *tensor;
}

WeightPlan plan_weights(const format::GgufFile& file, std::span<const TensorNeed> needs,
                        const models::ModelConfig& config) {
    WeightPlan plan;
    std::set<std::string, std::less<>> used;
    for (const TensorNeed& need : needs) {
        for (const auto& source : need.sources) {
            used.insert(source.name);
            if (const auto* factor = find_outer_factor(file, source.name)) used.insert(factor->name);
        }
        if (need.kind == TensorNeed::Kind::host_vector) {
            for (const auto& source : need.sources) find_source(file, source, 0);
            plan.host_needs.push_back(need);
        } else if (need.kind == TensorNeed::Kind::vector) {
            plan.items.push_back(describe_vector(file, need));
        } else {
            plan.items.push_back(describe_matrix(file, need));
            plan.file_bytes += plan.items.back().file_bytes;
            for (const auto& source : need.sources) {
                plan.largest_strip_bytes =
                    std::max(plan.largest_strip_bytes, file.tensor(source.name).row_bytes() * kernels::kStripRows);
            }
        }
    }
    for (const format::TensorInfo& tensor : file.tensors()) {
        if (!used.contains(tensor.name)) plan.unused.push_back(tensor.name);
    }
    // The rotary frequencies are a vector that no tensor of the file holds: 64-bit fixed point per pair.
    plan.items.push_back({.need = {"rope frequencies", TensorNeed::Kind::vector, {}, 0},
                          .n_rows = config.rope.n_rot / 2,
                          .size_bytes = std::max<uint64_t>(config.rope.n_rot / 2, 1) * sizeof(uint64_t)});
    return plan;
}

void share_layers(WeightPlan& plan) {
    std::map<std::string, std::vector<size_t>, std::less<>> seen; // by the name without the layer
    for (size_t i = 0; i < plan.items.size(); ++i) {
        WeightItem& item = plan.items[i];
        if (layer_of(item.need.key) < 0) continue;
        std::vector<size_t>& alike = seen[item.need.key.substr(item.need.key.find('.', 4))];
        const auto twin = std::ranges::find_if(alike, [&](size_t other) {
            const WeightItem& o = plan.items[other];
            return o.layout == item.layout && o.n_rows == item.n_rows && o.size_bytes == item.size_bytes;
        });
        if (twin == alike.end()) {
            alike.push_back(i);
        } else {
            item.twin = *twin;
        }
    }
}

int32_t layer_of(std::string_view name) {
    constexpr std::string_view kPrefix = "blk.";
    if (!name.starts_with(kPrefix)) return -1;
    int32_t layer = -1;
    const char* begin = name.data() + kPrefix.size();
    const auto [end, failure] = std::from_chars(begin, name.data() + name.size(), layer);
    return failure == std::errc() && end != name.data() + name.size() && *end == '.' ? layer : -1;
}

double read_share_of(std::string_view name, bool is_tied_head, uint32_t n_experts, uint32_t n_experts_used) {
    if (name.starts_with("token_embd.")) return is_tied_head ? 1.0 : 0.0; // one row per token
    if (name.find("_exps") != std::string_view::npos && n_experts > 0) {
        return std::min(1.0, static_cast<double>(n_experts_used) / n_experts);
    }
    return 1.0;
}

namespace {

/// Of one expert, without what aligns the parts of a matrix.
uint64_t part_bytes(const WeightItem& item) {
    const uint64_t rows = item.n_rows / item.need.n_parts;
    return kernels::weight_code_bytes(*item.layout, rows, item.need.n_cols) +
           kernels::weight_scale_bytes(*item.layout, rows, item.need.n_cols) +
           (item.row_scales_offset != 0 ? rows * sizeof(float) : 0);
}

} // namespace

std::vector<memory::Request> weight_requests(const WeightPlan& plan, const format::GgufFile& file) {
    const std::string architecture(file.get_or<std::string_view>("general.architecture", ""));
    const auto count = [&](const char* key) { return file.get_or<uint32_t>(architecture + key, 0); };
    const uint32_t n_experts = count(".expert_count");
    const uint32_t n_used = count(".expert_used_count");
    const bool is_tied = file.find_tensor("output.weight") == nullptr;
    const bool shares = std::ranges::any_of(plan.items, [](const WeightItem& item) { return item.twin.has_value(); });
    std::vector<memory::Request> requests;
    for (const WeightItem& item : plan.items) {
        const std::string& name = item.need.sources.empty() ? item.need.key : item.need.sources.front().name;
        requests.push_back({.name = item.need.key,
                            .size_bytes = item.twin ? 1 : item.size_bytes,
                            .alignment = kAlignment,
                            .purpose = memory::Purpose::weights,
                            .layer = layer_of(item.need.key),
                            .read_share = read_share_of(name, is_tied, n_experts, n_used)});
        if (shares || item.need.n_parts == 0) continue;
        requests.back().n_parts = item.need.n_parts;
        requests.back().n_fixed_parts = item.need.n_fixed_parts;
        requests.back().part_bytes = part_bytes(item);
    }
    return requests;
}

models::LoadedModel place_weights(const WeightPlan& plan, std::span<const uint64_t> addresses) {
    VKINFER_ASSERT(addresses.size() == plan.items.size());
    models::LoadedModel model;
    for (size_t i = 0; i < plan.items.size(); ++i) {
        const WeightItem& item = plan.items[i];
        if (i + 1 == plan.items.size()) {
            model.rope_frequencies = addresses[i];
        } else if (item.layout == nullptr) {
            model.vectors[item.need.key] = addresses[i];
        } else {
            kernels::Weight& weight = model.matrices[item.need.key];
            weight = {.type = item.type,
                      .n_rows = static_cast<uint32_t>(item.n_rows),
                      .n_cols = item.need.n_cols,
                      .codes = addresses[i],
                      .scales = addresses[i] + item.scales_offset()};
            if (item.row_scales_offset != 0) weight.row_scales = addresses[i] + item.row_scales_offset;
        }
    }
    return model;
}

models::LoadedModel place_weights_nowhere(const WeightPlan& plan) {
    std::vector<uint64_t> addresses;
    uint64_t next = uint64_t{1} << 40;
    for (const WeightItem& item : plan.items) {
        addresses.push_back(next);
        next += align(item.size_bytes);
    }
    return place_weights(plan, addresses);
}

} // namespace vkinfer::runtime
