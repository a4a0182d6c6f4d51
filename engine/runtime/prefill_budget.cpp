#include "runtime/prefill_budget.h"

#include <algorithm>
#include <cmath>

namespace vkinfer::runtime {

namespace {

// A new measurement counts a quarter: steady against one slow step, quick enough to follow a growing context.
void blend(double& mean, double value) {
    mean = mean == 0 ? value : mean + 0.25 * (value - mean);
}

constexpr int32_t kSmallestChunk = 16; // below this, reading the weights again costs more than the wait that is saved

} // namespace

PrefillBudget::PrefillBudget(int32_t max_batch, int32_t fixed_chunk, double target_ms)
    : max_batch_(max_batch), fixed_chunk_(fixed_chunk), target_ms_(target_ms) {}

int32_t PrefillBudget::tokens(int32_t n_decode) const {
    const int32_t room = std::max(max_batch_ - n_decode, 0);
    if (n_decode == 0) return room;
    if (fixed_chunk_ > 0) return std::min(room, fixed_chunk_);
    if (prefill_ms_per_token_ == 0) return std::min(room, std::max(max_batch_ / 4, kSmallestChunk));
    // Tiny prompts always pass; more than max_batch would be cut anyway.
    const double fit = std::clamp((target_ms_ - decode_ms_) / prefill_ms_per_token_, double{kSmallestChunk},
                                  std::max(double{kSmallestChunk}, static_cast<double>(max_batch_)));
    return std::min(room, static_cast<int32_t>(fit) / kSmallestChunk * kSmallestChunk);
}

void PrefillBudget::record(int32_t n_decode, int32_t n_prefill, double step_ms) {
    if (n_prefill == 0) {
        if (n_decode > 0) blend(decode_ms_, step_ms);
        return;
    }
    // A few tokens say nothing about the cost of one of many.
    if (n_prefill < kSmallestChunk) return;
    const double decode_part = n_decode > 0 ? std::min(decode_ms_, step_ms) : 0.0;
    blend(prefill_ms_per_token_, std::max(step_ms - decode_part, 1e-6) / n_prefill);
}

} // namespace vkinfer::runtime
