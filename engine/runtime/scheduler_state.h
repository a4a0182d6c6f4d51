// What the scheduler keeps of a request, of a sequence of the runner and of the batch; for its own files only.
#pragma once

#include "runtime/scheduler.h"
#include "runtime/stop_matcher.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

namespace vkinfer::runtime {

struct Scheduler::Request {
    RequestId id = 0;
    GenerationRequest spec;
    EventHandler on_event;
    Sampler sampler;
    StopMatcher stop;
    std::unique_ptr<AnswerDecoder> decoder;
    std::vector<Token> tokens; ///< prompt and answer so far, while no slot holds them
    GenerationEvent event;     ///< the next one, being filled
    GenerationResult result;
    std::chrono::steady_clock::time_point started;
    std::chrono::steady_clock::time_point first_logits;
    bool was_admitted = false;
    bool has_logits = false; ///< the prompt was read once, prompt_ms is known
};

struct Scheduler::Slot {
    int32_t sequence = 0;
    std::vector<Token> tokens; ///< of the running request, or of the last one
    int32_t n_stored = 0;      ///< tokens whose K and V are in the cache
    std::unique_ptr<Request> request;
    bool is_generating = false; ///< one token is to be evaluated; otherwise the rest of the prompt
    uint64_t admitted = 0;      ///< clock of the admission: the largest is the youngest
    uint64_t last_used = 0;     ///< clock of the last end of a request
    uint64_t last_fed = 0;      ///< clock of the last time that prompt tokens were read

    int32_t n_tokens() const { return static_cast<int32_t>(tokens.size()); }
    int32_t n_pending() const { return n_tokens() - n_stored; }
    bool is_reading() const { return request && !is_generating; }
};

/// What one slot has in the batch.
struct Scheduler::BatchPart {
    Slot* slot;
    int32_t n_tokens;
    bool has_logits;
};

} // namespace vkinfer::runtime
