// How far loading is, for whoever shows it or wants to stop it.
#pragma once

#include <cstdint>
#include <functional>

namespace vkinfer::runtime {

struct LoadProgress {
    uint64_t done_bytes = 0;
    uint64_t all_bytes = 0;
    float share() const {
        return all_bytes == 0 ? 1.0f
                              : static_cast<float>(static_cast<double>(done_bytes) / static_cast<double>(all_bytes));
    }
};

/// Called on the thread that loads, several times a second. An Error that it throws ends the loading and reaches the
/// caller: Error{cancelled} is how a program stops it.
using LoadCallback = std::function<void(const LoadProgress&)>;

} // namespace vkinfer::runtime
