// A list of GPU commands: recorded once, submitted once or many times. Replaying a list costs the host one
// vkQueueSubmit2, however long it is.
#pragma once

#include "gpu/buffer.h"
#include "gpu/device.h"
#include "gpu/handles.h"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_set>
#include <vector>

namespace vkinfer::gpu {

class DescriptorSets;
class Pipeline;
class Timeline;

/// What has to be finished and visible before what may start. Combine with `|`; each covers all memory. Reads before
/// writes (write-after-read) are ordered too.
enum class Barrier : uint32_t {
    compute_to_compute = 1 << 0,
    compute_to_transfer = 1 << 1,
    transfer_to_compute = 1 << 2,
    transfer_to_transfer = 1 << 3,
    compute_to_indirect = 1 << 4,  ///< dispatch sizes written by a shader
    transfer_to_indirect = 1 << 5, ///< dispatch sizes written by a copy or fill
    compute_to_host = 1 << 6,
    transfer_to_host = 1 << 7,
    host_to_compute = 1 << 8, ///< only for host writes made after the submission; earlier ones are visible anyway
    host_to_transfer = 1 << 9,
};

constexpr Barrier operator|(Barrier a, Barrier b) {
    return static_cast<Barrier>(static_cast<uint32_t>(a) | static_cast<uint32_t>(b));
}

enum class QueueKind : uint8_t {
    compute,
    copy, ///< Device::copy_queue(); only copies, fills and barriers between transfers may be recorded
};

struct CommandListOptions {
    std::string name;
    bool reusable = false;         ///< may be submitted many times, also while an earlier submission still runs
    uint32_t n_timestamps = 0;     ///< room for timestamp(0 .. n_timestamps - 1)
    bool waits_for_earlier = true; ///< begins with a barrier against everything submitted before
    bool results_to_host = true;   ///< ends with a barrier, so that the host may read what was written after wait()
    QueueKind queue = QueueKind::compute;
};

/// Belongs to one thread at a time. Keeps everything that it uses alive; dropping it early is safe.
/// Must not outlive its Device.
class CommandList {
public:
    /// Recording starts at once.
    explicit CommandList(Device& device, CommandListOptions options = {});
    ~CommandList();
    CommandList(CommandList&&) noexcept;
    CommandList& operator=(CommandList&&) noexcept;
    CommandList(const CommandList&) = delete;
    CommandList& operator=(const CommandList&) = delete;

    /// Starts over with an empty list; waits first if the GPU still runs the old one.
    void begin();
    /// Finishes recording; the list can be submitted from here on.
    void end();

    /// Runs x * y * z workgroups. `push` must have the pipeline's push size and `bindings` its number of buffers.
    /// Throws Error{unsupported} for ranges beyond the device's limits, which would read as silent zeros, and
    /// Error{invalid_input} for ranges outside their buffers.
    void dispatch(const Pipeline& pipeline, std::span<const std::byte> push, std::span<const BufferRange> bindings,
                  uint32_t x, uint32_t y = 1, uint32_t z = 1);
    /// Reads the three group counts from `arguments` at `offset`, a multiple of 4, when the dispatch starts.
    void dispatch_indirect(const Pipeline& pipeline, std::span<const std::byte> push,
                           std::span<const BufferRange> bindings, const Buffer& arguments, uint64_t offset);

    /// The same with a typed push struct.
    template<class Push>
        requires(std::is_trivially_copyable_v<Push> && std::is_class_v<Push> && !std::is_empty_v<Push> &&
                 !std::is_convertible_v<const Push&, std::span<const std::byte>>)
    void dispatch(const Pipeline& pipeline, const Push& push, std::initializer_list<BufferRange> bindings, uint32_t x,
                  uint32_t y = 1, uint32_t z = 1) {
        dispatch(pipeline, std::as_bytes(std::span(&push, 1)),
                 std::span<const BufferRange>(bindings.begin(), bindings.size()), x, y, z);
    }

    /// For buffers that shaders reach by address: the list keeps this one alive as if it were bound.
    void keep_alive(const Buffer& buffer);

    void barrier(Barrier kinds);
    /// Both ranges must have the same size and lie in their buffers.
    void copy(BufferRange from, BufferRange to);
    /// Offset and size must be multiples of 4.
    void fill(BufferRange range, uint32_t value);
    /// Writes timestamp `index` when everything before it has finished. Each index once per recording.
    void timestamp(uint32_t index);

    /// Groups what follows under a name in captures, until end_label().
    void begin_label(std::string_view name);
    void end_label();

    /// The timestamps of the last finished submission in nanoseconds from an arbitrary start. Call after
    /// Device::wait. Empty when the queue has no timestamps.
    std::vector<double> timestamps_ns() const;

    bool is_recording() const { return is_recording_; }
    uint32_t n_dispatches() const { return n_dispatches_; }
    uint32_t n_barriers() const { return n_barriers_; }
    size_t n_descriptor_sets() const;
    /// The latest submission of this list.
    Ticket last_submission() const { return last_; }

private:
    friend class Device;
    /// For Device::submit.
    VkCommandBuffer prepare_submit(QueueKind queue) const;
    Timeline& timeline() const;
    void note_submitted(Ticket ticket) const;

    void retire();
    void bind(const Pipeline& pipeline, std::span<const std::byte> push, std::span<const BufferRange> bindings);
    void keep(const std::shared_ptr<const void>& object);
    void check_recording(const char* what) const;

    DeviceCore* core_ = nullptr;
    CommandListOptions options_;
    VkCommandPool pool_ = nullptr;
    VkCommandBuffer buffer_ = nullptr;
    VkQueryPool queries_ = nullptr;
    std::unique_ptr<DescriptorSets> sets_;
    std::vector<std::shared_ptr<const void>> kept_; // buffers and pipelines in use
    std::unordered_set<const void*> kept_set_;
    VkPipeline bound_pipeline_ = nullptr;
    VkPipelineLayout bound_layout_ = nullptr;
    VkDescriptorSet bound_set_ = nullptr;
    std::vector<std::byte> pushed_; // what the current layout's push constants hold
    std::vector<bool> written_timestamps_;
    bool is_recording_ = false;
    uint32_t n_dispatches_ = 0;
    uint32_t n_barriers_ = 0;
    uint32_t open_labels_ = 0;
    // Set by Device::submit, which takes a const list: submitting changes the queue, not the commands.
    mutable Ticket last_;
    mutable uint64_t n_submissions_ = 0;
};

} // namespace vkinfer::gpu
