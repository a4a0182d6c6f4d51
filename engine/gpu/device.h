// A logical device with one compute queue, and a second queue for copies where that helps: the owner of everything that
// buffers, pipelines and command lists share.
#pragma once

#include "base/log.h"
#include "gpu/capabilities.h"
#include "gpu/handles.h"
#include "gpu/instance.h"
#include "gpu/memory.h"
#include "gpu/pipeline_cache_options.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace vkinfer::gpu {

class CommandList;

/// A point on a queue's timeline: reached when the submission that returned it has finished. A default one is reached.
struct Ticket {
    uint64_t value = 0;
    auto operator<=>(const Ticket&) const = default;
};

/// The same for the queue of copies.
struct CopyTicket {
    uint64_t value = 0;
};

enum class QueueChoice : uint8_t {
    automatic,    ///< compute-only on AMD (a ring of its own beside the desktop's), else the first family with compute
    compute_only, ///< a family without graphics; falls back to any with compute
    graphics,     ///< a family with graphics and compute; falls back to any with compute
};

struct DeviceOptions {
    bool robust_buffer_access = false; ///< bounds-checked storage reads, at a cost; for debugging
    bool cooperative_matrix = true;    ///< false: the extension is not enabled and not listed
    bool capture_statistics = false;   ///< every pipeline keeps statistics and ISA text; switches pipeline caching off
    QueueChoice queue = QueueChoice::automatic;
    PipelineCacheOptions pipeline_cache;
};

/// What a test can make fail: style "fail the n-th until it succeeds" walks every error path.
enum class Fault : uint8_t {
    allocation,  ///< a buffer's memory: out_of_memory
    map,         ///< mapping the memory of a new block
    submit,      ///< a submission: out_of_memory
    copy,        ///< a submission to the queue of copies, where there is one: out_of_memory
    device_lost, ///< a submission: device_lost; the device is unusable from then on
};

/// Buffers, pipelines and command lists must be gone before their Device. All members may be called from several
/// threads at once; Buffer and Pipeline creation too. A CommandList belongs to one thread at a time.
class Device {
public:
    /// `selector`: see select_device(). Throws Error{not_found | unsupported | invalid_input}.
    explicit Device(const Instance& instance, std::string_view selector = {}, const DeviceOptions& options = {});
    /// Waits for the GPU: the only place that does.
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    const DeviceInfo& info() const;
    const Capabilities& capabilities() const;
    const Log& log() const;

    std::vector<HeapInfo> heaps() const;
    const std::vector<MemoryTypeInfo>& memory_types() const;

    /// Submits a recorded list; costs one vkQueueSubmit2 and no allocation. Lists run in the order of submission; each
    /// waits for the writes of those before it (unless CommandListOptions say otherwise).
    Ticket submit(const CommandList& list);
    /// At most kMaxListsPerSubmit lists in one submission.
    Ticket submit(std::span<const CommandList* const> lists);
    static constexpr size_t kMaxListsPerSubmit = 16;

    /// A list that was made for QueueKind::copy. Lists of different queues run at the same time.
    CopyTicket submit_copies(const CommandList& list);
    /// Begins once the copies have finished; sees what they wrote.
    Ticket submit(const CommandList& list, CopyTicket after);
    /// "transfer queue", "second compute queue", or empty: copies run on the compute queue, between its kernels.
    const char* copy_queue() const;

    /// Blocks until the ticket is reached. Throws Error{device_lost}.
    void wait(Ticket ticket);
    /// The same with a limit; false when it ran out first.
    bool wait(Ticket ticket, std::chrono::nanoseconds timeout);
    bool is_reached(Ticket ticket);
    /// The ticket of the latest submission.
    Ticket last_submitted() const;

    /// Writes the pipeline cache file now if anything was added (the destructor does it as well).
    void save_pipeline_cache();
    /// Bytes read from the cache file at start; 0 when there was none that fits.
    uint64_t pipeline_cache_loaded_bytes() const;

    /// For tests: the `nth` next operation of that kind (1 = the next) fails; 0 switches it off.
    void inject_fault(Fault fault, uint32_t nth);

    DeviceCore& core() { return *core_; }

private:
    std::unique_ptr<DeviceCore> core_;
};

} // namespace vkinfer::gpu
