#include "gpu/allocator.h"

#include "base/error.h"

#include <algorithm>
#include <cstdint>
#include <format>
#include <sys/mman.h>

namespace vkinfer::gpu {

struct MemoryBlock {
    VkDeviceMemory memory = VK_NULL_HANDLE;
    std::byte* mapped = nullptr;
    uint32_t type = 0;
    bool dedicated = false;
    BlockSpace space{0};
};

namespace {

// One block per 64 MiB of small buffers keeps the number of allocations (each a kernel object and an entry in every
// submission's buffer list) in the tens; a buffer of a quarter of that wastes little with an allocation of its own.
constexpr uint64_t kBlockBytes = uint64_t{64} << 20;
constexpr uint64_t kDedicatedBytes = uint64_t{16} << 20;
// Buffers in one block start on separate cache lines of every device.
constexpr uint64_t kMinAlignment = 256;

/// A CPU's device memory is the process's own: in large pages, filling it for the first time takes a fraction of the
/// page faults. Only a hint, so the result is not looked at.
void advise_large_pages(std::byte* memory, uint64_t size_bytes) {
    constexpr uintptr_t kPageBytes = 4096;
    const uintptr_t begin = (reinterpret_cast<uintptr_t>(memory) + kPageBytes - 1) / kPageBytes * kPageBytes;
    const uintptr_t end = (reinterpret_cast<uintptr_t>(memory) + size_bytes) / kPageBytes * kPageBytes;
    if (begin < end) static_cast<void>(::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE));
}

} // namespace

Allocator::Allocator(VkPhysicalDevice physical, VkDevice device, const VolkDeviceTable& vk,
                     const Capabilities& capabilities)
    : physical_(physical), device_(device), vk_(vk), capabilities_(capabilities) {
    VkPhysicalDeviceMemoryProperties memory{};
    vkGetPhysicalDeviceMemoryProperties(physical, &memory);
    for (uint32_t i = 0; i < memory.memoryHeapCount; ++i) {
        HeapInfo heap;
        heap.index = i;
        heap.size_bytes = memory.memoryHeaps[i].size;
        heap.budget_bytes = heap.size_bytes;
        heap.device_local = memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT;
        static_heaps_.push_back(heap);
    }
    own_bytes_.resize(static_heaps_.size());
    constexpr VkMemoryPropertyFlags kNeedsFeature =
        VK_MEMORY_PROPERTY_PROTECTED_BIT | VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT |
        VK_MEMORY_PROPERTY_DEVICE_COHERENT_BIT_AMD | VK_MEMORY_PROPERTY_DEVICE_UNCACHED_BIT_AMD |
        VK_MEMORY_PROPERTY_RDMA_CAPABLE_BIT_NV;
    for (uint32_t i = 0; i < memory.memoryTypeCount; ++i) {
        const VkMemoryPropertyFlags flags = memory.memoryTypes[i].propertyFlags;
        MemoryTypeInfo type;
        type.index = i;
        type.heap = memory.memoryTypes[i].heapIndex;
        type.device_local = flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
        type.host_visible = flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
        type.host_coherent = flags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
        type.host_cached = flags & VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
        type.usable = (flags & kNeedsFeature) == 0;
        types_.push_back(type);
        if (type.host_visible) static_heaps_[type.heap].host_visible = true;
    }
}

Allocator::~Allocator() {
    for (const auto& block : blocks_) vk_.vkFreeMemory(device_, block->memory, nullptr);
}

Allocation Allocator::allocate(const VkMemoryRequirements& requirements, const AllocationWish& wish) {
    // A wish for one type comes from the planner, which may have put a device buffer into host memory on purpose.
    std::vector<uint32_t> order;
    if (!wish.only_type) {
        order = memory_types_for(wish.domain, capabilities_.device_type, types_, requirements.memoryTypeBits);
    } else if (*wish.only_type < types_.size() && types_[*wish.only_type].usable &&
               (requirements.memoryTypeBits & (1u << *wish.only_type))) {
        order = {*wish.only_type};
    }
    if (order.empty()) {
        throw Error(ErrorKind::unsupported, std::format("no memory type of the device suits buffer {} in domain {}",
                                                        wish.name, to_string(wish.domain)));
    }
    const std::scoped_lock lock(mutex_);
    const bool fails = fail_in_ > 0 && --fail_in_ == 0;
    for (const uint32_t type : order) {
        if (fails) break;
        if (auto allocation = try_type(requirements, type, wish.is_dedicated)) return *allocation;
    }
    throw Error(ErrorKind::out_of_memory,
                std::format("no room for buffer {} of {} ({}) on the device; {}", wish.name,
                            size_text(requirements.size), to_string(wish.domain), heap_report()),
                "Use a smaller context or model, quantised K/V types, or free memory on the device.");
}

std::optional<Allocation> Allocator::try_type(const VkMemoryRequirements& requirements, uint32_t type,
                                              bool is_dedicated) {
    const uint64_t alignment = std::max<uint64_t>(requirements.alignment, kMinAlignment);
    const uint64_t heap_size = static_heaps_[types_[type].heap].size_bytes;
    const uint64_t block_bytes = std::min(kBlockBytes, std::max<uint64_t>(heap_size / 16, 1));
    const bool dedicated = is_dedicated || requirements.size >= std::min(kDedicatedBytes, block_bytes / 2);
    const auto from_block = [&](MemoryBlock& block) -> std::optional<Allocation> {
        const auto offset = block.space.take(requirements.size, alignment);
        if (!offset) return std::nullopt;
        Allocation allocation;
        allocation.block = &block;
        allocation.memory = block.memory;
        allocation.offset = *offset;
        allocation.size_bytes = requirements.size;
        allocation.mapped = block.mapped ? block.mapped + *offset : nullptr;
        allocation.memory_type = type;
        return allocation;
    };
    if (!dedicated) {
        for (const auto& block : blocks_) {
            if (block->dedicated || block->type != type) continue;
            if (auto allocation = from_block(*block)) return allocation;
        }
    }
    MemoryBlock* block = add_block(dedicated ? requirements.size : block_bytes, type, dedicated);
    // A full block may not fit any more where the buffer alone still does.
    if (!block && !dedicated) block = add_block(requirements.size, type, true);
    if (!block) return std::nullopt;
    return from_block(*block);
}

MemoryBlock* Allocator::add_block(uint64_t size_bytes, uint32_t type, bool dedicated) {
    const uint32_t heap = types_[type].heap;
    // Over-committing a heap succeeds here on some drivers and fails at a later submission, where nobody can act on it.
    if (own_bytes_[heap] + size_bytes > static_heaps_[heap].size_bytes) return nullptr;
    if (size_bytes > capabilities_.max_allocation_bytes) return nullptr;

    VkMemoryAllocateFlagsInfo flags{VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO};
    flags.flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT;
    VkMemoryAllocateInfo info{VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO};
    if (capabilities_.buffer_device_address) info.pNext = &flags;
    info.allocationSize = size_bytes;
    info.memoryTypeIndex = type;
    auto block = std::make_unique<MemoryBlock>();
    const VkResult result = vk_.vkAllocateMemory(device_, &info, nullptr, &block->memory);
    if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY ||
        result == VK_ERROR_TOO_MANY_OBJECTS) {
        return nullptr;
    }
    vk_check(result, "vkAllocateMemory",
             [&] { return std::format("{} of memory type {} in heap {}", size_text(size_bytes), type, heap); });
    if (types_[type].host_visible && types_[type].host_coherent) {
        void* mapped = nullptr;
        const bool fails = fail_map_in_ > 0 && --fail_map_in_ == 0;
        const VkResult map =
            fails ? VK_ERROR_MEMORY_MAP_FAILED : vk_.vkMapMemory(device_, block->memory, 0, VK_WHOLE_SIZE, 0, &mapped);
        if (map < 0) {
            vk_.vkFreeMemory(device_, block->memory, nullptr);
            throw_vk_error(map, "vkMapMemory", std::format("{} of memory type {}", size_text(size_bytes), type));
        }
        block->mapped = static_cast<std::byte*>(mapped);
        if (capabilities_.device_type == DeviceType::cpu) advise_large_pages(block->mapped, size_bytes);
    }
    block->type = type;
    block->dedicated = dedicated;
    block->space = BlockSpace(size_bytes);
    own_bytes_[heap] += size_bytes;
    blocks_.push_back(std::move(block));
    return blocks_.back().get();
}

void Allocator::free_block(MemoryBlock* block) {
    own_bytes_[types_[block->type].heap] -= block->space.size_bytes();
    vk_.vkFreeMemory(device_, block->memory, nullptr);
    std::erase_if(blocks_, [&](const auto& owned) { return owned.get() == block; });
}

void Allocator::release(const Allocation& allocation) {
    if (!allocation.block) return;
    const std::scoped_lock lock(mutex_);
    MemoryBlock* block = allocation.block;
    block->space.release(allocation.offset, allocation.size_bytes);
    if (!block->space.is_empty()) return;
    // One empty block per type stays, so that a buffer made and dropped in a loop does not allocate each time.
    const bool has_other_empty = std::ranges::any_of(blocks_, [&](const auto& other) {
        return other.get() != block && !other->dedicated && other->type == block->type && other->space.is_empty();
    });
    if (block->dedicated || has_other_empty) free_block(block);
}

std::vector<HeapInfo> Allocator::heaps() const {
    std::vector<HeapInfo> heaps = static_heaps_;
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
    if (capabilities_.memory_budget) {
        VkPhysicalDeviceMemoryProperties2 memory{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
        memory.pNext = &budget;
        vkGetPhysicalDeviceMemoryProperties2(physical_, &memory);
    }
    const std::scoped_lock lock(mutex_);
    for (HeapInfo& heap : heaps) {
        heap.own_bytes = own_bytes_[heap.index];
        heap.usage_bytes = capabilities_.memory_budget ? budget.heapUsage[heap.index] : heap.own_bytes;
        if (capabilities_.memory_budget) heap.budget_bytes = budget.heapBudget[heap.index];
    }
    return heaps;
}

std::string Allocator::heap_report() const {
    std::string text;
    for (const HeapInfo& heap : static_heaps_) {
        if (!text.empty()) text += ", ";
        text += std::format("heap {}: {} of {} used by us", heap.index, size_text(own_bytes_[heap.index]),
                            size_text(heap.size_bytes));
    }
    return text;
}

void Allocator::fail_allocation(uint32_t nth) {
    const std::scoped_lock lock(mutex_);
    fail_in_ = nth;
}

void Allocator::fail_map(uint32_t nth) {
    const std::scoped_lock lock(mutex_);
    fail_map_in_ = nth;
}

} // namespace vkinfer::gpu
