// The allocations of a memory plan, made: one buffer each.
#pragma once

#include "gpu/buffer.h"
#include "gpu/device.h"
#include "runtime/model_memory.h"

#include <vector>

namespace vkinfer::runtime {

class PlacedMemory {
public:
    /// Throws Error{out_of_memory} when the device has less than it said; what was allocated by then is given back.
    PlacedMemory(gpu::Device& device, const MemoryDecision& decision);

    /// Where a request lies. Holds as long as this object.
    gpu::BufferRange range(size_t request) const;
    uint64_t address(size_t request) const;
    /// Where the spilled part of a split request lies, by index in the plan.
    gpu::BufferRange far_range(size_t split) const;
    /// The buffer of a request that has an allocation of its own; it belongs to the caller from here on.
    gpu::Buffer take(size_t request);

private:
    std::vector<gpu::Buffer> buffers_; ///< one per allocation, empty for a reserve
    std::vector<memory::Place> places_;
    std::vector<uint64_t> sizes_;
    std::vector<memory::Split> splits_;
};

} // namespace vkinfer::runtime
