#include "memory/expert_stats.h"

#include "base/file.h"
#include "memory/json_reader.h"

#include <algorithm>
#include <format>
#include <numeric>

namespace vkinfer::memory {

std::vector<float> ExpertStats::shares() const {
    std::vector<float> result;
    for (size_t layer = 0; layer < n_layers(); ++layer) {
        const auto first = counts.begin() + static_cast<std::ptrdiff_t>(layer * n_experts);
        const uint64_t sum = std::accumulate(first, first + n_experts, uint64_t{0});
        for (uint32_t e = 0; e < n_experts; ++e) {
            const double share = sum == 0 ? 1.0 / n_experts : static_cast<double>(first[e]) / static_cast<double>(sum);
            result.push_back(static_cast<float>(std::min(1.0, share * n_used)));
        }
    }
    return result;
}

std::string ExpertStats::json() const {
    std::string layers;
    for (size_t layer = 0; layer < n_layers(); ++layer) {
        layers += layer == 0 ? "\n    [" : ",\n    [";
        for (uint32_t e = 0; e < n_experts; ++e)
            layers += std::format("{}{}", e == 0 ? "" : ", ", counts[layer * n_experts + e]);
        layers += "]";
    }
    return std::format("{{\n  \"n_experts\": {},\n  \"n_used\": {},\n  \"counts\": [{}\n  ]\n}}\n", n_experts, n_used,
                       layers);
}

ExpertStats read_expert_stats(const std::filesystem::path& path) {
    const std::string text = read_text_file(path);
    const boost::json::value value = parse_json(text, path.string());
    JsonObject object(value, path.string());
    ExpertStats stats;
    stats.n_experts = object.number32("n_experts");
    stats.n_used = object.number32("n_used");
    for (const boost::json::value& layer : object.array("counts")) {
        if (!layer.is_array() || layer.as_array().size() != stats.n_experts)
            object.refuse("counts", std::format("has a layer that is no list of {} numbers", stats.n_experts));
        for (const boost::json::value& count : layer.as_array()) {
            boost::system::error_code error;
            stats.counts.push_back(count.to_number<uint32_t>(error));
            if (error) object.refuse("counts", "has something else than counts");
        }
    }
    object.finish();
    return stats;
}

} // namespace vkinfer::memory
