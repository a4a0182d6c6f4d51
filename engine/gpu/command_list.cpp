#include "gpu/command_list.h"

#include "base/error.h"
#include "gpu/buffer_object.h"
#include "gpu/descriptor_sets.h"
#include "gpu/pipeline.h"
#include "gpu/pipeline_object.h"

#include <algorithm>
#include <array>
#include <format>
#include <utility>

namespace vkinfer::gpu {

namespace {

// More than any kernel needs, and small enough for the stack.
constexpr size_t kMaxBindings = 32;

struct Scope {
    VkPipelineStageFlags2 stages = 0;
    VkAccessFlags2 access = 0;
};

constexpr Scope kComputeWrites{VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT, VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT};
constexpr Scope kComputeAll{VK_PIPELINE_STAGE_2_COMPUTE_SHADER_BIT,
                            VK_ACCESS_2_SHADER_STORAGE_READ_BIT | VK_ACCESS_2_SHADER_STORAGE_WRITE_BIT};
constexpr Scope kTransferWrites{VK_PIPELINE_STAGE_2_ALL_TRANSFER_BIT, VK_ACCESS_2_TRANSFER_WRITE_BIT};
constexpr Scope kTransferAll{VK_PIPELINE_STAGE_2_ALL_TRANSFER_BIT,
                             VK_ACCESS_2_TRANSFER_READ_BIT | VK_ACCESS_2_TRANSFER_WRITE_BIT};
constexpr Scope kIndirectReads{VK_PIPELINE_STAGE_2_DRAW_INDIRECT_BIT, VK_ACCESS_2_INDIRECT_COMMAND_READ_BIT};
constexpr Scope kHostReads{VK_PIPELINE_STAGE_2_HOST_BIT, VK_ACCESS_2_HOST_READ_BIT};
constexpr Scope kHostWrites{VK_PIPELINE_STAGE_2_HOST_BIT, VK_ACCESS_2_HOST_WRITE_BIT};

constexpr Scope operator+(Scope a, Scope b) {
    return {a.stages | b.stages, a.access | b.access};
}

struct BarrierRow {
    Barrier kind;
    Scope from;
    Scope to;
};

constexpr BarrierRow kBarriers[] = {
    {Barrier::compute_to_compute, kComputeWrites, kComputeAll},
    {Barrier::compute_to_transfer, kComputeWrites, kTransferAll},
    {Barrier::transfer_to_compute, kTransferWrites, kComputeAll},
    {Barrier::transfer_to_transfer, kTransferWrites, kTransferAll},
    {Barrier::compute_to_indirect, kComputeWrites, kIndirectReads},
    {Barrier::transfer_to_indirect, kTransferWrites, kIndirectReads},
    {Barrier::compute_to_host, kComputeWrites, kHostReads},
    {Barrier::transfer_to_host, kTransferWrites, kHostReads},
    {Barrier::host_to_compute, kHostWrites, kComputeAll},
    {Barrier::host_to_transfer, kHostWrites, kTransferAll},
};

void record_barrier(DeviceCore& core, VkCommandBuffer buffer, std::span<const VkMemoryBarrier2> barriers) {
    VkDependencyInfo info{VK_STRUCTURE_TYPE_DEPENDENCY_INFO};
    info.memoryBarrierCount = static_cast<uint32_t>(barriers.size());
    info.pMemoryBarriers = barriers.data();
    core.vk.vkCmdPipelineBarrier2(buffer, &info);
}

VkMemoryBarrier2 memory_barrier(Scope from, Scope to) {
    VkMemoryBarrier2 barrier{VK_STRUCTURE_TYPE_MEMORY_BARRIER_2};
    barrier.srcStageMask = from.stages;
    barrier.srcAccessMask = from.access;
    barrier.dstStageMask = to.stages;
    barrier.dstAccessMask = to.access;
    return barrier;
}

/// The range with its size filled in; throws when it does not lie in its buffer.
BufferRange resolve(const BufferRange& range, const char* use, const std::string& owner) {
    VKINFER_ASSERT(range.buffer && *range.buffer);
    const uint64_t total = range.buffer->size_bytes();
    BufferRange out = range;
    if (out.size == kWholeSize && out.offset <= total) out.size = total - out.offset;
    if (out.offset > total || out.size > total - out.offset || out.size == 0) {
        throw Error(ErrorKind::invalid_input,
                    std::format("{} of {}: bytes {} + {} do not lie in buffer {} of {} bytes", use, owner, range.offset,
                                range.size, range.buffer->name(), total));
    }
    return out;
}

} // namespace

CommandList::CommandList(Device& device, CommandListOptions options)
    : core_(&device.core()), options_(std::move(options)) {
    DeviceCore& core = *core_;
    ++core.n_live_objects;
    try {
        VkCommandPoolCreateInfo pool_info{VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
        if (!options_.reusable) pool_info.flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT;
        pool_info.queueFamilyIndex = options_.queue == QueueKind::copy ? core.copy_family : core.queue_family;
        vk_check(core.vk.vkCreateCommandPool(core.device, &pool_info, nullptr, &pool_), "vkCreateCommandPool");
        VkCommandBufferAllocateInfo buffer_info{VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO};
        buffer_info.commandPool = pool_;
        buffer_info.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
        buffer_info.commandBufferCount = 1;
        vk_check(core.vk.vkAllocateCommandBuffers(core.device, &buffer_info, &buffer_), "vkAllocateCommandBuffers");
        core.set_name(VK_OBJECT_TYPE_COMMAND_BUFFER, reinterpret_cast<uint64_t>(buffer_), options_.name);
        if (options_.n_timestamps > 0 && core.capabilities.timestamp_bits > 0) {
            VkQueryPoolCreateInfo query_info{VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO};
            query_info.queryType = VK_QUERY_TYPE_TIMESTAMP;
            query_info.queryCount = options_.n_timestamps;
            vk_check(core.vk.vkCreateQueryPool(core.device, &query_info, nullptr, &queries_), "vkCreateQueryPool",
                     [&] { return std::format("{} timestamps", options_.n_timestamps); });
        }
        sets_ = std::make_unique<DescriptorSets>(core.device, core.vk);
        begin();
    } catch (...) {
        retire();
        throw;
    }
}

CommandList::~CommandList() {
    retire();
}

CommandList::CommandList(CommandList&& other) noexcept {
    *this = std::move(other);
}

CommandList& CommandList::operator=(CommandList&& other) noexcept {
    if (this == &other) return *this;
    retire();
    core_ = std::exchange(other.core_, nullptr);
    options_ = std::move(other.options_);
    pool_ = std::exchange(other.pool_, nullptr);
    buffer_ = std::exchange(other.buffer_, nullptr);
    queries_ = std::exchange(other.queries_, nullptr);
    sets_ = std::move(other.sets_);
    kept_ = std::move(other.kept_);
    kept_set_ = std::move(other.kept_set_);
    bound_pipeline_ = other.bound_pipeline_;
    bound_layout_ = other.bound_layout_;
    bound_set_ = other.bound_set_;
    pushed_ = std::move(other.pushed_);
    written_timestamps_ = std::move(other.written_timestamps_);
    is_recording_ = std::exchange(other.is_recording_, false);
    n_dispatches_ = other.n_dispatches_;
    n_barriers_ = other.n_barriers_;
    open_labels_ = other.open_labels_;
    last_ = other.last_;
    n_submissions_ = other.n_submissions_;
    return *this;
}

void CommandList::retire() {
    if (!core_) return;
    Timeline& used = timeline();
    DeviceCore* core = std::exchange(core_, nullptr);
    used.retire([core, pool = pool_, queries = queries_,
                 descriptor_pools = sets_ ? sets_->take_pools() : std::vector<VkDescriptorPool>(),
                 kept = std::move(kept_)]() mutable {
        if (pool) core->vk.vkDestroyCommandPool(core->device, pool, nullptr);
        if (queries) core->vk.vkDestroyQueryPool(core->device, queries, nullptr);
        for (VkDescriptorPool descriptor_pool : descriptor_pools) {
            core->vk.vkDestroyDescriptorPool(core->device, descriptor_pool, nullptr);
        }
        kept.clear();
    });
    --core->n_live_objects;
}

void CommandList::begin() {
    DeviceCore& core = *core_;
    if (n_submissions_ > 0) timeline().wait(last_.value, UINT64_MAX);
    vk_check(core.vk.vkResetCommandPool(core.device, pool_, 0), "vkResetCommandPool");
    sets_->reset();
    kept_.clear();
    kept_set_.clear();
    bound_pipeline_ = nullptr;
    bound_layout_ = nullptr;
    bound_set_ = nullptr;
    pushed_.clear();
    written_timestamps_.assign(options_.n_timestamps, false);
    n_dispatches_ = 0;
    n_barriers_ = 0;
    open_labels_ = 0;
    n_submissions_ = 0;

    VkCommandBufferBeginInfo info{VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    info.flags =
        options_.reusable ? VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT : VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT;
    vk_check(core.vk.vkBeginCommandBuffer(buffer_, &info), "vkBeginCommandBuffer",
             [&] { return std::format("list {}", options_.name); });
    is_recording_ = true;
    if (queries_) core.vk.vkCmdResetQueryPool(buffer_, queries_, 0, options_.n_timestamps);
    if (options_.waits_for_earlier) {
        // Submissions to one queue start in order but overlap; a barrier reaches back over submissions, which is
        // cheaper than a semaphore between each two.
        const VkMemoryBarrier2 first =
            options_.queue == QueueKind::copy
                ? memory_barrier(kTransferWrites, kTransferAll)
                : memory_barrier(kComputeWrites + kTransferWrites, kComputeAll + kTransferAll + kIndirectReads);
        record_barrier(core, buffer_, {&first, 1});
    }
}

void CommandList::end() {
    check_recording("end");
    DeviceCore& core = *core_;
    while (open_labels_ > 0) end_label();
    if (options_.results_to_host) {
        const Scope writes = options_.queue == QueueKind::copy ? kTransferWrites : kComputeWrites + kTransferWrites;
        const VkMemoryBarrier2 last = memory_barrier(writes, kHostReads);
        record_barrier(core, buffer_, {&last, 1});
    }
    is_recording_ = false;
    vk_check(core.vk.vkEndCommandBuffer(buffer_), "vkEndCommandBuffer",
             [&] { return std::format("list {} of {} dispatches", options_.name, n_dispatches_); });
}

void CommandList::check_recording(const char* what) const {
    if (is_recording_) return;
    throw Error(ErrorKind::internal, std::format("{} on list {}, which is not recording", what, options_.name));
}

void CommandList::keep(const std::shared_ptr<const void>& object) {
    if (kept_set_.insert(object.get()).second) kept_.push_back(object);
}

void CommandList::keep_alive(const Buffer& buffer) {
    keep(buffer.object_);
}

void CommandList::bind(const Pipeline& pipeline, std::span<const std::byte> push,
                       std::span<const BufferRange> bindings) {
    check_recording("dispatch");
    VKINFER_ASSERT(pipeline);
    DeviceCore& core = *core_;
    const Capabilities& capabilities = core.capabilities;
    const PipelineObject& object = *pipeline.object_;
    if (bindings.size() != object.n_bindings || bindings.size() > kMaxBindings) {
        throw Error(ErrorKind::internal, std::format("pipeline {} has {} bindings and was given {}", object.name,
                                                     object.n_bindings, bindings.size()));
    }
    if (push.size() != object.push_bytes) {
        throw Error(ErrorKind::internal, std::format("pipeline {} has {} push bytes and was given {}", object.name,
                                                     object.push_bytes, push.size()));
    }
    std::array<DescriptorRange, kMaxBindings> ranges;
    for (size_t i = 0; i < bindings.size(); ++i) {
        const BufferRange range = resolve(bindings[i], "a binding", object.name);
        if (range.size > capabilities.max_storage_range_bytes) {
            throw Error(ErrorKind::unsupported,
                        std::format("binding {} of {}: {} bytes of buffer {} exceed the {} bytes that the device can "
                                    "bind; it would read zeros beyond",
                                    i, object.name, range.size, range.buffer->name(),
                                    capabilities.max_storage_range_bytes),
                        "Bind a part of it, or use the buffer's address.");
        }
        if (range.offset % capabilities.storage_offset_alignment != 0) {
            throw Error(ErrorKind::invalid_input,
                        std::format("binding {} of {}: offset {} in buffer {} is not a multiple of {}", i, object.name,
                                    range.offset, range.buffer->name(), capabilities.storage_offset_alignment));
        }
        ranges[i] = {range.buffer->handle(), range.offset, range.size};
        keep(range.buffer->object_);
    }
    keep(pipeline.object_);

    if (bound_pipeline_ != object.pipeline) {
        core.vk.vkCmdBindPipeline(buffer_, VK_PIPELINE_BIND_POINT_COMPUTE, object.pipeline);
        bound_pipeline_ = object.pipeline;
    }
    if (bound_layout_ != object.layout) {
        // Another layout disturbs sets and push constants.
        bound_layout_ = object.layout;
        bound_set_ = nullptr;
        pushed_.clear();
    }
    if (!bindings.empty()) {
        VkDescriptorSet set = sets_->get(object.set_layout, std::span(ranges).first(bindings.size()));
        if (set != bound_set_) {
            core.vk.vkCmdBindDescriptorSets(buffer_, VK_PIPELINE_BIND_POINT_COMPUTE, object.layout, 0, 1, &set, 0,
                                            nullptr);
            bound_set_ = set;
        }
    }
    if (!push.empty() && !std::ranges::equal(push, pushed_)) {
        core.vk.vkCmdPushConstants(buffer_, object.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                                   static_cast<uint32_t>(push.size()), push.data());
        pushed_.assign(push.begin(), push.end());
    }
}

void CommandList::dispatch(const Pipeline& pipeline, std::span<const std::byte> push,
                           std::span<const BufferRange> bindings, uint32_t x, uint32_t y, uint32_t z) {
    const auto& limit = core_->capabilities.max_group_count;
    if (x > limit[0] || y > limit[1] || z > limit[2]) {
        throw Error(ErrorKind::unsupported,
                    std::format("dispatch of {} with {} x {} x {} groups; the device allows {} x "
                                "{} x {}",
                                pipeline.name(), x, y, z, limit[0], limit[1], limit[2]));
    }
    bind(pipeline, push, bindings);
    core_->vk.vkCmdDispatch(buffer_, x, y, z);
    ++n_dispatches_;
}

void CommandList::dispatch_indirect(const Pipeline& pipeline, std::span<const std::byte> push,
                                    std::span<const BufferRange> bindings, const Buffer& arguments, uint64_t offset) {
    resolve({arguments, offset, sizeof(VkDispatchIndirectCommand)}, "the indirect arguments", pipeline.name());
    if (offset % 4 != 0) {
        throw Error(ErrorKind::invalid_input,
                    std::format("the indirect arguments of {}: offset {} in buffer {} is not a multiple of 4",
                                pipeline.name(), offset, arguments.name()));
    }
    bind(pipeline, push, bindings);
    keep(arguments.object_);
    core_->vk.vkCmdDispatchIndirect(buffer_, arguments.handle(), offset);
    ++n_dispatches_;
}

void CommandList::barrier(Barrier kinds) {
    check_recording("barrier");
    std::array<VkMemoryBarrier2, std::size(kBarriers)> barriers;
    size_t count = 0;
    for (const BarrierRow& row : kBarriers) {
        if (static_cast<uint32_t>(kinds) & static_cast<uint32_t>(row.kind)) {
            barriers[count++] = memory_barrier(row.from, row.to);
        }
    }
    record_barrier(*core_, buffer_, std::span(barriers).first(count));
    ++n_barriers_;
}

void CommandList::copy(BufferRange from, BufferRange to) {
    check_recording("copy");
    const BufferRange source = resolve(from, "the source", "a copy");
    const BufferRange target = resolve(to, "the target", "a copy");
    if (source.size != target.size) {
        throw Error(ErrorKind::invalid_input,
                    std::format("copy of {} bytes of buffer {} to {} bytes of buffer {}", source.size,
                                source.buffer->name(), target.size, target.buffer->name()));
    }
    if (source.buffer->handle() == target.buffer->handle() && source.offset < target.offset + target.size &&
        target.offset < source.offset + source.size) {
        throw Error(ErrorKind::invalid_input,
                    std::format("copy inside buffer {}: the ranges overlap", source.buffer->name()));
    }
    const VkBufferCopy region{source.offset, target.offset, source.size};
    core_->vk.vkCmdCopyBuffer(buffer_, source.buffer->handle(), target.buffer->handle(), 1, &region);
    keep(source.buffer->object_);
    keep(target.buffer->object_);
}

void CommandList::fill(BufferRange range, uint32_t value) {
    check_recording("fill");
    const BufferRange target = resolve(range, "the target", "a fill");
    if (target.offset % 4 != 0 || target.size % 4 != 0) {
        throw Error(ErrorKind::invalid_input, std::format("fill of buffer {}: bytes {} + {} are not multiples of 4",
                                                          target.buffer->name(), target.offset, target.size));
    }
    core_->vk.vkCmdFillBuffer(buffer_, target.buffer->handle(), target.offset, target.size, value);
    keep(target.buffer->object_);
}

void CommandList::timestamp(uint32_t index) {
    check_recording("timestamp");
    VKINFER_ASSERT(index < options_.n_timestamps);
    VKINFER_ASSERT(!written_timestamps_[index]);
    written_timestamps_[index] = true;
    if (queries_) core_->vk.vkCmdWriteTimestamp2(buffer_, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, queries_, index);
}

std::vector<double> CommandList::timestamps_ns() const {
    if (!queries_ || n_submissions_ == 0) return {};
    const Capabilities& capabilities = core_->capabilities;
    std::vector<double> out(options_.n_timestamps);
    const uint64_t mask =
        capabilities.timestamp_bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << capabilities.timestamp_bits) - 1;
    for (uint32_t i = 0; i < options_.n_timestamps; ++i) {
        if (!written_timestamps_[i]) continue;
        uint64_t ticks = 0;
        vk_check(core_->vk.vkGetQueryPoolResults(core_->device, queries_, i, 1, sizeof ticks, &ticks, sizeof ticks,
                                                 VK_QUERY_RESULT_64_BIT),
                 "vkGetQueryPoolResults", [&] { return std::format("timestamp {} of list {}", i, options_.name); });
        out[i] = static_cast<double>(ticks & mask) * capabilities.timestamp_period_ns;
    }
    return out;
}

void CommandList::begin_label(std::string_view name) {
    check_recording("begin_label");
    if (!core_->instance->debug_utils) return;
    const std::string text(name);
    VkDebugUtilsLabelEXT label{VK_STRUCTURE_TYPE_DEBUG_UTILS_LABEL_EXT};
    label.pLabelName = text.c_str();
    vkCmdBeginDebugUtilsLabelEXT(buffer_, &label);
    ++open_labels_;
}

void CommandList::end_label() {
    check_recording("end_label");
    if (open_labels_ == 0) return;
    vkCmdEndDebugUtilsLabelEXT(buffer_);
    --open_labels_;
}

size_t CommandList::n_descriptor_sets() const {
    return sets_->n_sets();
}

Timeline& CommandList::timeline() const {
    return options_.queue == QueueKind::copy && core_->copy_timeline ? *core_->copy_timeline : *core_->timeline;
}

VkCommandBuffer CommandList::prepare_submit(QueueKind queue) const {
    VKINFER_ASSERT(queue == options_.queue);
    if (is_recording_) {
        throw Error(ErrorKind::internal, std::format("list {} was submitted before end()", options_.name));
    }
    if (n_submissions_ > 0 && !options_.reusable) {
        throw Error(ErrorKind::internal, std::format("list {} is not reusable and was submitted twice", options_.name));
    }
    return buffer_;
}

void CommandList::note_submitted(Ticket ticket) const {
    last_ = ticket;
    ++n_submissions_;
}

} // namespace vkinfer::gpu
