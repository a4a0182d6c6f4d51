#include "gpu/timeline.h"

#include "base/error.h"

#include <format>

namespace vkinfer::gpu {

namespace {

[[noreturn]] void throw_lost() {
    throw Error(ErrorKind::device_lost, "the device was lost earlier; nothing runs on it any more",
                "Restart the program; the kernel log (dmesg) names the cause.");
}

} // namespace

Timeline::Timeline(VkDevice device, const VolkDeviceTable& vk, VkQueue queue, Log log)
    : device_(device), vk_(vk), queue_(queue), log_(std::move(log)) {
    VkSemaphoreTypeCreateInfo type{VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO};
    type.semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE;
    VkSemaphoreCreateInfo info{VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO};
    info.pNext = &type;
    vk_check(vk_.vkCreateSemaphore(device_, &info, nullptr, &semaphore_), "vkCreateSemaphore");
}

Timeline::~Timeline() {
    vk_.vkDestroySemaphore(device_, semaphore_, nullptr);
}

VkSemaphoreSubmitInfo Timeline::wait_info(uint64_t value) const {
    VkSemaphoreSubmitInfo info{VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO};
    info.semaphore = semaphore_;
    info.value = value;
    info.stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT;
    return info;
}

uint64_t Timeline::submit(const VkCommandBufferSubmitInfo* buffers, uint32_t n_buffers,
                          const VkSemaphoreSubmitInfo* after) {
    const std::scoped_lock lock(submit_mutex_);
    if (lost_) throw_lost();
    const uint64_t value = submitted_.load(std::memory_order_relaxed) + 1;
    const VkSemaphoreSubmitInfo signal = wait_info(value);
    VkSubmitInfo2 info{VK_STRUCTURE_TYPE_SUBMIT_INFO_2};
    info.commandBufferInfoCount = n_buffers;
    info.pCommandBufferInfos = buffers;
    info.signalSemaphoreInfoCount = 1;
    info.pSignalSemaphoreInfos = &signal;
    info.waitSemaphoreInfoCount = after != nullptr ? 1 : 0;
    info.pWaitSemaphoreInfos = after;
    // Objects dropped by another thread from here on have to wait for this submission, so the value rises first.
    submitted_.store(value, std::memory_order_release);
    VkResult result = VK_SUCCESS;
    if (fail_in_ > 0 && --fail_in_ == 0)
        result = fail_result_;
    else
        result = vk_.vkQueueSubmit2(queue_, 1, &info, VK_NULL_HANDLE);
    if (result != VK_SUCCESS) [[unlikely]] {
        if (result == VK_ERROR_DEVICE_LOST) lost_ = true;
        // The value will never be signalled by the GPU: signal it here once the work before it is done, so that
        // nothing waits for it for ever.
        if (!lost_ && wait(value - 1, UINT64_MAX)) {
            VkSemaphoreSignalInfo own{VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO};
            own.semaphore = semaphore_;
            own.value = value;
            vk_check(vk_.vkSignalSemaphore(device_, &own), "vkSignalSemaphore");
            accepted_.store(value, std::memory_order_release);
        }
        throw_vk_error(result, "vkQueueSubmit2", std::format("submission {} of {} lists", value, n_buffers));
    }
    accepted_.store(value, std::memory_order_release);
    return value;
}

bool Timeline::wait(uint64_t value, uint64_t timeout_ns) {
    if (value > reached_.load(std::memory_order_acquire)) {
        VKINFER_ASSERT(value <= last_submitted());
        if (lost_) throw_lost();
        VkSemaphoreWaitInfo info{VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO};
        info.semaphoreCount = 1;
        info.pSemaphores = &semaphore_;
        info.pValues = &value;
        // Only ever wait: vkGetSemaphoreCounterValue returns success and writes nothing on RADV under a DRM shim.
        const VkResult result = vk_.vkWaitSemaphores(device_, &info, timeout_ns);
        if (result == VK_TIMEOUT) return false;
        if (result == VK_ERROR_DEVICE_LOST) lost_ = true;
        vk_check(result, "vkWaitSemaphores", [&] { return std::format("waiting for submission {}", value); });
        reached(value);
    }
    collect();
    return true;
}

bool Timeline::is_reached(uint64_t value) {
    if (value <= reached_.load(std::memory_order_acquire)) return true;
    // Another thread may be between taking the value and submitting it. A DRM shim would call even that reached.
    if (value > last_submitted()) return false;
    VkSemaphoreWaitInfo info{VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO};
    info.semaphoreCount = 1;
    info.pSemaphores = &semaphore_;
    info.pValues = &value;
    const VkResult result = vk_.vkWaitSemaphores(device_, &info, 0);
    if (result == VK_TIMEOUT) return false;
    if (result == VK_ERROR_DEVICE_LOST) lost_ = true;
    vk_check(result, "vkWaitSemaphores");
    reached(value);
    return true;
}

void Timeline::reached(uint64_t value) {
    uint64_t known = reached_.load(std::memory_order_relaxed);
    while (known < value && !reached_.compare_exchange_weak(known, value, std::memory_order_acq_rel)) {
    }
}

void Timeline::retire(std::move_only_function<void()> destroy) {
    const uint64_t after = submitted_.load(std::memory_order_acquire);
    bool now = after <= reached_.load(std::memory_order_acquire);
    if (!now && !lost_) {
        try {
            now = is_reached(after);
        } catch (const Error&) {
            // lost_ is set
        }
    }
    if (!now && lost_) {
        settle();
        now = true;
    }
    if (now) {
        destroy();
        return;
    }
    const std::scoped_lock lock(retired_mutex_);
    retired_.push_back({after, std::move(destroy)});
    n_retired_ = retired_.size();
}

void Timeline::settle() {
    // Work that was submitted before the loss may still use what is about to be destroyed. Returns in finite time even
    // from a lost device; what it returns changes nothing. Only this queue, whose use the mutex orders.
    const std::scoped_lock lock(submit_mutex_);
    vk_.vkQueueWaitIdle(queue_);
}

size_t Timeline::collect() {
    if (n_retired_.load(std::memory_order_relaxed) == 0) return 0; // every wait comes by here
    size_t count = 0;
    for (;; ++count) {
        std::move_only_function<void()> destroy;
        {
            const std::scoped_lock lock(retired_mutex_);
            if (retired_.empty() || !(lost_ || is_reached(retired_.front().after))) return count;
            destroy = std::move(retired_.front().destroy);
            retired_.pop_front();
            n_retired_ = retired_.size();
        }
        if (lost_) settle();
        destroy(); // outside the lock: it may retire what it kept alive
    }
}

void Timeline::drain() {
    const VkResult result = vk_.vkDeviceWaitIdle(device_);
    if (result < 0) {
        log_.error("vkDeviceWaitIdle failed with {} at shutdown", result_name(result));
        lost_ = true;
    } else {
        reached(submitted_.load());
    }
    collect();
}

} // namespace vkinfer::gpu
