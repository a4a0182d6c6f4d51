#include "runtime/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace vkinfer::runtime {

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
    std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
    std::ranges::sort(stops_, std::ranges::greater{}, &std::string::size); // the longest is tried first
    if (!stops_.empty()) longest_ = stops_.front().size();
}

bool StopMatcher::feed(std::string_view piece, std::string& out) {
    if (stops_.empty()) {
        out += piece;
        return false;
    }
    const size_t n_old = held_.size();
    held_ += piece;
    for (size_t end = n_old + 1; end <= held_.size(); ++end) {
        const std::string_view seen = std::string_view(held_).substr(0, end);
        for (const std::string& stop : stops_) {
            if (!seen.ends_with(stop)) continue;
            matched_ = stop;
            out += seen.substr(0, end - stop.size());
            held_.clear();
            return true;
        }
    }
    // Keep the longest end of the text that some stop string begins with.
    size_t n_keep = std::min(held_.size(), longest_ - 1);
    for (; n_keep > 0; --n_keep) {
        const std::string_view tail = std::string_view(held_).substr(held_.size() - n_keep);
        const auto continues = [&](const std::string& stop) { return stop.size() > n_keep && stop.starts_with(tail); };
        if (std::ranges::any_of(stops_, continues)) break;
    }
    out.append(held_, 0, held_.size() - n_keep);
    held_.erase(0, held_.size() - n_keep);
    return false;
}

void StopMatcher::flush(std::string& out) {
    out += held_;
    held_.clear();
}

} // namespace vkinfer::runtime
