// Who gets a sequence of the runner and its room in the cache: admission, reuse of what a slot still holds, eviction.
#include "runtime/scheduler.h"
#include "runtime/scheduler_state.h"

#include <algorithm>
#include <span>
#include <utility>

namespace vkinfer::runtime {

namespace {

int32_t common_prefix(std::span<const Token> a, std::span<const Token> b) {
    return static_cast<int32_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

// A slot is chosen for its contents when they make up this share of the prompt; below, the least recently used one
// goes.
constexpr double kWorthKeeping = 0.1;

} // namespace

void Scheduler::admit_waiting() {
    // A sequence that could not get its next place comes before new ones.
    if (stall_error_) return;
    while (!waiting_.empty() && admit(waiting_.front())) waiting_.pop_front();
}

/// Gives the request a slot or refuses it; false when it has to wait.
bool Scheduler::admit(std::unique_ptr<Request>& request) {
    int32_t n_common = 0;
    Slot* slot = choose_slot(*request, n_common);
    if (slot == nullptr) return false;

    const auto n_tokens = static_cast<int32_t>(request->tokens.size());
    if (n_common < slot->n_stored) {
        runner_.truncate(slot->sequence, n_common);
        slot->tokens.resize(static_cast<size_t>(n_common));
        slot->n_stored = n_common;
    }
    Error error(ErrorKind::internal, "");
    if (!reserve(*slot, n_tokens, error)) {
        if (error.kind() == ErrorKind::out_of_memory && n_active() > 0) return false; // they will free some
        finish_unstarted(*request, FinishReason::error, std::move(error));
        return true;
    }

    Request& admitted = *request;
    slot->tokens = std::move(admitted.tokens);
    slot->request = std::move(request);
    slot->is_generating = false;
    slot->admitted = ++clock_;
    slot->last_fed = 0;
    {
        const std::lock_guard lock(mutex_);
        --n_queued_;
        if (!admitted.was_admitted) stats_.n_cached_tokens += static_cast<uint64_t>(n_common);
    }
    if (!admitted.was_admitted) {
        admitted.was_admitted = true;
        admitted.started = std::chrono::steady_clock::now();
        admitted.result.cached_tokens = n_common;
        admitted.decoder = texts_.answer_decoder(slot->tokens);
    }
    if (slot->n_pending() == 0) finish(*slot, FinishReason::length); // all cached, and no answer wanted
    return true;
}

/// An idle slot: the one with most of the request's beginning, else the least recently used one.
Scheduler::Slot* Scheduler::choose_slot(const Request& request, int32_t& n_common) {
    // Without evaluating the last token there are no logits to answer with.
    const size_t n_reusable = request.tokens.size() - (request.spec.max_tokens == 0 ? 0 : 1);
    const auto reusable = std::span<const Token>(request.tokens).first(n_reusable);
    const auto shared_with = [&](const Slot& slot) {
        return common_prefix(std::span<const Token>(slot.tokens).first(static_cast<size_t>(slot.n_stored)), reusable);
    };
    Slot* closest = nullptr;
    Slot* oldest = nullptr;
    int32_t most = -1;
    for (Slot& slot : slots_) {
        if (slot.request) continue;
        const int32_t shared = shared_with(slot);
        if (shared > most || (shared == most && slot.last_used < closest->last_used)) {
            closest = &slot;
            most = shared;
        }
        if (oldest == nullptr || slot.last_used < oldest->last_used) oldest = &slot;
    }
    if (closest == nullptr) return nullptr;
    if (most >= kWorthKeeping * static_cast<double>(request.tokens.size())) {
        n_common = most;
        return closest;
    }
    n_common = shared_with(*oldest);
    return oldest;
}

/// Places in the cache; what idle slots keep for later is given up for it.
bool Scheduler::reserve(Slot& slot, int32_t n_tokens, Error& error) {
    for (;;) {
        const Result<void> reserved = runner_.reserve(slot.sequence, n_tokens);
        if (reserved) return true;
        if (reserved.error().kind() == ErrorKind::out_of_memory && evict_idle(slot)) continue;
        error = reserved.error();
        if (error.kind() == ErrorKind::out_of_memory && error.hint().empty()) {
            error = Error(
                error.kind(), error.message(),
                "Use a smaller context (-c), fewer sequences (-np) or a smaller cache type (-ctk q8_0 -ctv q8_0).");
        }
        return false;
    }
}

/// Forgets the least recently used idle slot; false when none holds anything.
bool Scheduler::evict_idle(const Slot& keep) {
    Slot* victim = nullptr;
    for (Slot& slot : slots_) {
        if (slot.request || &slot == &keep || slot.n_stored == 0) continue;
        if (victim == nullptr || slot.last_used < victim->last_used) victim = &slot;
    }
    if (victim == nullptr) return false;
    runner_.truncate(victim->sequence, 0);
    victim->tokens.clear();
    victim->n_stored = 0;
    return true;
}

void Scheduler::preempt(Slot& slot) {
    options_.log.debug("request {}: gives its cache of {} tokens to others", slot.request->id, slot.n_stored);
    runner_.truncate(slot.sequence, 0);
    slot.n_stored = 0;
    slot.request->tokens = std::move(slot.tokens);
    slot.tokens.clear();
    slot.is_generating = false;
    waiting_.push_front(std::move(slot.request));
    const std::lock_guard lock(mutex_);
    ++n_queued_;
    ++stats_.n_preemptions;
}

} // namespace vkinfer::runtime
