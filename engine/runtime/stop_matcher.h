// Finds stop strings in a text that arrives in pieces, and holds back what may be the beginning of one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::runtime {

class StopMatcher {
public:
    /// Empty stop strings are ignored.
    explicit StopMatcher(std::vector<std::string> stops);

    /// Takes the next piece and appends to `out` what certainly does not belong to a stop string. True when a stop
    /// string is complete: `out` has then got everything before it, and matched() names it. Of several the one that is
    /// complete first wins, of those the longest: how the text is cut into pieces makes no difference.
    bool feed(std::string_view piece, std::string& out);

    /// The text ends without a stop string: appends what was held back.
    void flush(std::string& out);

    const std::string& matched() const { return matched_; }

private:
    std::vector<std::string> stops_;
    size_t longest_ = 0;
    std::string held_;
    std::string matched_;
};

} // namespace vkinfer::runtime
