// Carries events from the engine's thread to the connection that answers the request. The engine never waits: a queue
// beyond its limit tells the engine to cancel.
#pragma once

#include "runtime/types.h"

#include <cstddef>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace vkinfer::server {

class EventQueue {
public:
    /// `wake` is called from the pushing thread, at most once between two takes, and not after close().
    EventQueue(size_t limit_bytes, std::function<void()> wake) : limit_bytes_(limit_bytes), wake_(std::move(wake)) {}

    /// False if the reader is too slow or gone: the request should be cancelled. The last event, with the result, is
    /// always kept.
    bool push(runtime::GenerationEvent event) {
        const std::lock_guard lock(mutex_);
        if (!wake_) return false;
        const size_t bytes =
            sizeof(event) + event.text.size() + event.reasoning.size() + event.tokens.size() * sizeof(runtime::Token);
        if (!event.result && (overflowed_ || bytes_ + bytes > limit_bytes_)) {
            overflowed_ = true;
            return false;
        }
        bytes_ += bytes;
        events_.push_back(std::move(event));
        if (!woken_) wake_();
        woken_ = true;
        return true;
    }

    /// All events since the last call.
    std::vector<runtime::GenerationEvent> take() {
        const std::lock_guard lock(mutex_);
        woken_ = false;
        bytes_ = 0;
        return std::exchange(events_, {});
    }

    /// Whether events were dropped.
    bool overflowed() const {
        const std::lock_guard lock(mutex_);
        return overflowed_;
    }

    /// From now on nothing is kept and nobody is woken; the queue may outlive its reader.
    void close() {
        const std::lock_guard lock(mutex_);
        wake_ = nullptr;
        events_.clear();
    }

private:
    const size_t limit_bytes_;
    mutable std::mutex mutex_;
    std::function<void()> wake_;
    std::vector<runtime::GenerationEvent> events_;
    size_t bytes_ = 0;
    bool woken_ = false;
    bool overflowed_ = false;
};

} // namespace vkinfer::server
