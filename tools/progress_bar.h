// A bar on standard error while something loads; nothing at all when that is not a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace vkinfer::tools {

class ProgressBar {
public:
    explicit ProgressBar(std::string label);
    /// Removes the bar.
    ~ProgressBar();
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;

    /// `done`: 0 .. 1.
    void show(float done);
    /// The same with the rate so far and the time that is left.
    void show(uint64_t done_bytes, uint64_t all_bytes);
    /// "1.2 GB/s, 12 s left" after `seconds`.
    static std::string rate_text(uint64_t done_bytes, uint64_t all_bytes, double seconds);

private:
    void draw(float done, const std::string& note);

    std::string label_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point drawn_{};
    bool is_terminal_;
    int shown_percent_ = -1;
};

} // namespace vkinfer::tools
