// Sub-allocates buffers from a few large blocks of device memory; large buffers get an allocation of their own.
// Internal to engine/gpu. Thread-safe.
#pragma once

#include "gpu/block_space.h"
#include "gpu/capabilities.h"
#include "gpu/memory.h"
#include "gpu/vk_check.h"

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace vkinfer::gpu {

struct MemoryBlock;

/// A range of device memory. Plain data; goes back through Allocator::release.
struct Allocation {
    MemoryBlock* block = nullptr;
    VkDeviceMemory memory = VK_NULL_HANDLE;
    uint64_t offset = 0;
    uint64_t size_bytes = 0;
    std::byte* mapped = nullptr;
    uint32_t memory_type = 0;
};

struct AllocationWish {
    Domain domain = Domain::device;
    std::optional<uint32_t> only_type; ///< this memory type and no other; it may be one that the domain would not get
    bool is_dedicated = false;         ///< an allocation of its own, whatever the size
    const char* name = "";             ///< for messages
};

class Allocator {
public:
    Allocator(VkPhysicalDevice physical, VkDevice device, const VolkDeviceTable& vk, const Capabilities& capabilities);
    ~Allocator();
    Allocator(const Allocator&) = delete;
    Allocator& operator=(const Allocator&) = delete;

    /// Memory that fits `requirements`, from the best type that has room. Throws Error{out_of_memory} with sizes and
    /// heaps.
    Allocation allocate(const VkMemoryRequirements& requirements, const AllocationWish& wish);
    void release(const Allocation& allocation);

    std::vector<HeapInfo> heaps() const;
    const std::vector<MemoryTypeInfo>& types() const { return types_; }

    /// The `nth` next allocate() (1 = the next) fails as if the device were full; 0 switches it off.
    void fail_allocation(uint32_t nth);
    /// The same for mapping the memory of a new block.
    void fail_map(uint32_t nth);

private:
    std::optional<Allocation> try_type(const VkMemoryRequirements& requirements, uint32_t type, bool is_dedicated);
    MemoryBlock* add_block(uint64_t size_bytes, uint32_t type, bool dedicated);
    void free_block(MemoryBlock* block);
    std::string heap_report() const;

    VkPhysicalDevice physical_;
    VkDevice device_;
    const VolkDeviceTable& vk_;
    const Capabilities& capabilities_;
    std::vector<MemoryTypeInfo> types_;
    std::vector<HeapInfo> static_heaps_;
    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<MemoryBlock>> blocks_;
    std::vector<uint64_t> own_bytes_; // per heap
    uint32_t fail_in_ = 0;
    uint32_t fail_map_in_ = 0;
};

} // namespace vkinfer::gpu
