// One queue, its timeline semaphore, and what waits for it: submissions and deferred destruction. Internal to
// engine/gpu.
#pragma once

#include "base/log.h"
#include "gpu/vk_check.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

namespace vkinfer::gpu {

/// Thread-safe. Values start at 1; 0 is always reached.
class Timeline {
public:
    Timeline(VkDevice device, const VolkDeviceTable& vk, VkQueue queue, Log log);
    ~Timeline();
    Timeline(const Timeline&) = delete;
    Timeline& operator=(const Timeline&) = delete;

    /// Submits recorded buffers; returns the value that is reached when they have finished. They begin once `after`, a
    /// value of another queue's timeline, is reached.
    uint64_t submit(const VkCommandBufferSubmitInfo* buffers, uint32_t n_buffers,
                    const VkSemaphoreSubmitInfo* after = nullptr);
    /// False when `timeout_ns` ran out.
    bool wait(uint64_t value, uint64_t timeout_ns);
    bool is_reached(uint64_t value);
    /// For the submission to another queue that has to wait for `value` of this one.
    VkSemaphoreSubmitInfo wait_info(uint64_t value) const;
    /// The latest value that the queue has accepted.
    uint64_t last_submitted() const { return accepted_.load(std::memory_order_acquire); }

    /// Runs `destroy` once every submission made so far has finished: now if it has, else from a later wait or retire.
    void retire(std::move_only_function<void()> destroy);
    /// Runs what is due; returns how many.
    size_t collect();
    /// Waits for the device and runs everything. For shutdown only.
    void drain();

    /// The `nth` next submission fails with `result` as if the driver had said so.
    void fail_submit(uint32_t nth, VkResult result) {
        fail_result_ = result;
        fail_in_.store(nth);
    }

private:
    void reached(uint64_t value);
    /// After a loss: waits until nothing of what was submitted runs any more.
    void settle();

    VkDevice device_;
    const VolkDeviceTable& vk_;
    VkQueue queue_;
    Log log_;
    VkSemaphore semaphore_ = VK_NULL_HANDLE;
    std::recursive_mutex submit_mutex_;   ///< submit() waits, and a wait may settle()
    std::atomic<uint64_t> submitted_ = 0; ///< raised before the queue sees the value, so that retire() waits for it
    std::atomic<uint64_t> accepted_ = 0;  ///< raised when the queue has it; no later value may be asked for
    std::atomic<uint64_t> reached_ = 0;
    std::atomic<bool> lost_ = false;
    std::atomic<uint32_t> fail_in_ = 0;
    std::atomic<VkResult> fail_result_ = VK_SUCCESS;

    struct Retired {
        uint64_t after;
        std::move_only_function<void()> destroy;
    };
    std::mutex retired_mutex_;
    std::deque<Retired> retired_; // `after` never decreases
    std::atomic<size_t> n_retired_ = 0;
};

} // namespace vkinfer::gpu
