// How many prompt tokens a step may carry while other sequences generate: as many as fit the time a stream may stand
// still, learnt from the steps so far.
#pragma once

#include <cstdint>

namespace vkinfer::runtime {

class PrefillBudget {
public:
    /// `fixed_chunk` above 0 switches the measuring off.
    PrefillBudget(int32_t max_batch, int32_t fixed_chunk, double target_ms);

    /// Prompt tokens allowed in a step with `n_decode` generating sequences; at least 1 if the batch has room.
    int32_t tokens(int32_t n_decode) const;

    void record(int32_t n_decode, int32_t n_prefill, double step_ms);

private:
    int32_t max_batch_;
    int32_t fixed_chunk_;
    double target_ms_;
    double decode_ms_ = 0;            ///< of a step without prompt tokens; 0: not measured yet
    double prefill_ms_per_token_ = 0; ///< 0: not measured yet
};

} // namespace vkinfer::runtime
