// Which byte ranges of one memory block are free. Pure arithmetic, so that it can be tested without a device.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace vkinfer::gpu {

/// Best fit over a sorted list of free ranges; neighbours merge on release. Blocks hold tens of buffers, not thousands,
/// so a linear search is the simplest thing that works.
class BlockSpace {
public:
    explicit BlockSpace(uint64_t size_bytes);

    /// Offset of a range of `size_bytes`, a multiple of `alignment` (a power of two); nothing when none is free.
    std::optional<uint64_t> take(uint64_t size_bytes, uint64_t alignment);
    /// Gives back exactly what take() returned for `size_bytes`.
    void release(uint64_t offset, uint64_t size_bytes);

    uint64_t size_bytes() const { return size_bytes_; }
    uint64_t free_bytes() const;
    bool is_empty() const { return free_bytes() == size_bytes_; }

private:
    struct Range {
        uint64_t offset;
        uint64_t size;
    };
    uint64_t size_bytes_;
    std::vector<Range> free_; // sorted by offset, never touching each other
};

} // namespace vkinfer::gpu
