// A buffer and its memory.
#pragma once

#include "gpu/handles.h"
#include "gpu/memory.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace vkinfer::gpu {

class Device;
struct BufferObject;

struct BufferDesc {
    uint64_t size_bytes = 0;
    Domain domain = Domain::device;
    std::string name;                    ///< shows up in errors, captures and validation messages
    std::optional<uint32_t> memory_type; ///< for a placement planner: this memory type and no other
    bool own_allocation = false;         ///< device memory of its own, whatever the size
    bool is_copied = false;              ///< lists of QueueKind::copy may use it
};

/// Move-only. Dropping it early is safe: command lists that use it keep it alive, and destruction waits until the
/// submissions made so far have passed. Must not outlive its Device. New memory holds arbitrary bytes.
class Buffer {
public:
    /// An empty handle; only assignment and destruction are allowed.
    Buffer() = default;
    /// Throws Error{out_of_memory} with sizes and heaps, Error{unsupported} beyond Capabilities::max_buffer_bytes and
    /// Error{invalid_input} for size 0.
    Buffer(Device& device, const BufferDesc& desc);
    ~Buffer() = default;
    Buffer(Buffer&&) noexcept = default;
    Buffer& operator=(Buffer&&) noexcept = default;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    explicit operator bool() const { return object_ != nullptr; }
    uint64_t size_bytes() const;
    Domain domain() const;
    const std::string& name() const;
    /// 0 when the device has no buffer addresses.
    DeviceAddress address() const;
    /// Persistently mapped and coherent, or null (a device buffer on a discrete card). Host writes made before a
    /// submission are visible to it; device writes are visible after Device::wait.
    std::byte* mapped() const;
    /// mapped() as a span of T; the buffer must be mapped.
    template<class T>
    std::span<T> mapped_as() const {
        return {reinterpret_cast<T*>(mapped()), size_bytes() / sizeof(T)};
    }
    uint32_t memory_type() const;
    VkBuffer handle() const;

private:
    friend class CommandList;
    std::shared_ptr<BufferObject> object_;
};

inline constexpr uint64_t kWholeSize = ~uint64_t{0};

/// A part of a buffer. Does not own; CommandList takes its own share of the buffer when it is recorded.
struct BufferRange {
    const Buffer* buffer = nullptr;
    uint64_t offset = 0;
    uint64_t size = kWholeSize; ///< kWholeSize: up to the end of the buffer

    BufferRange() = default;
    BufferRange(const Buffer& whole) : buffer(&whole) {}
    BufferRange(const Buffer* part_of, uint64_t offset_bytes, uint64_t n_bytes)
        : buffer(part_of), offset(offset_bytes), size(n_bytes) {}
    BufferRange(const Buffer& part_of, uint64_t offset_bytes, uint64_t n_bytes)
        : BufferRange(&part_of, offset_bytes, n_bytes) {}
};

} // namespace vkinfer::gpu
