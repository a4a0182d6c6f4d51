#include "tools/progress_bar.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <format>
#include <unistd.h>
#include <utility>

namespace vkinfer::tools {

ProgressBar::ProgressBar(std::string label) : label_(std::move(label)), is_terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
    if (shown_percent_ >= 0) std::fputs("\r\033[K", stderr);
}

void ProgressBar::show(float done) {
    draw(done, {});
}

void ProgressBar::show(uint64_t done_bytes, uint64_t all_bytes) {
    if (all_bytes == 0) return;
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    draw(static_cast<float>(static_cast<double>(done_bytes) / static_cast<double>(all_bytes)),
         rate_text(done_bytes, all_bytes, elapsed.count()));
}

std::string ProgressBar::rate_text(uint64_t done_bytes, uint64_t all_bytes, double seconds) {
    if (done_bytes == 0 || seconds <= 0) return {};
    const double rate = static_cast<double>(done_bytes) / seconds;
    const double left = static_cast<double>(all_bytes - std::min(done_bytes, all_bytes)) / rate;
    return std::format("{:.2f} GB/s, {:.0f} s left", rate / 1e9, std::ceil(left));
}

void ProgressBar::draw(float done, const std::string& note) {
    if (!is_terminal_) return;
    const int percent = std::clamp(static_cast<int>(done * 100), 0, 100);
    const auto now = std::chrono::steady_clock::now();
    if (percent == shown_percent_ && (note.empty() || now - drawn_ < std::chrono::milliseconds(250))) return;
    shown_percent_ = percent;
    drawn_ = now;
    constexpr int kWidth = 40;
    const std::string full(static_cast<size_t>(percent * kWidth / 100), '#');
    const std::string empty(static_cast<size_t>(kWidth) - full.size(), '.');
    std::fprintf(stderr, "\r\033[K%s [%s%s] %3d %%  %s", label_.c_str(), full.c_str(), empty.c_str(), percent,
                 note.c_str());
    std::fflush(stderr);
}

} // namespace vkinfer::tools
