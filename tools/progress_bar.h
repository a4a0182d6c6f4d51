// A bar on standard error while something loads; nothing at all when that is not a terminal.
#pragma once

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

private:
    std::string label_;
    bool is_terminal_;
    int shown_percent_ = -1;
};

} // namespace vkinfer::tools
