#include "tools/progress_bar.h"

#include <algorithm>
#include <cstdio>
#include <unistd.h>
#include <utility>

namespace vkinfer::tools {

ProgressBar::ProgressBar(std::string label) : label_(std::move(label)), is_terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
    if (shown_percent_ >= 0) std::fputs("\r\033[K", stderr);
}

void ProgressBar::show(float done) {
    if (!is_terminal_) return;
    const int percent = std::clamp(static_cast<int>(done * 100), 0, 100);
    if (percent == shown_percent_) return;
    shown_percent_ = percent;
    constexpr int kWidth = 40;
    const std::string full(static_cast<size_t>(percent * kWidth / 100), '#');
    const std::string empty(static_cast<size_t>(kWidth) - full.size(), '.');
    std::fprintf(stderr, "\r%s [%s%s] %3d %%", label_.c_str(), full.c_str(), empty.c_str(), percent);
    std::fflush(stderr);
}

} // namespace vkinfer::tools
