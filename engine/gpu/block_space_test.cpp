#include "gpu/block_space.h"

#include <doctest/doctest.h>
#include <map>
#include <random>

using vkinfer::gpu::BlockSpace;

TEST_CASE("block space: alignment, exhaustion, merging") {
    BlockSpace space(1000);
    CHECK(space.take(100, 256) == 0);
    CHECK(space.take(100, 256) == 256);
    CHECK(space.take(156, 1) == 100); // the gap that alignment left fits exactly
    CHECK_FALSE(space.take(700, 1));
    CHECK(space.take(644, 1) == 356);
    CHECK(space.free_bytes() == 0);
    space.release(256, 100);
    space.release(0, 100);
    space.release(356, 644);
    space.release(100, 156);
    CHECK(space.is_empty());
    CHECK(space.take(1000, 256) == 0);
}

TEST_CASE("block space: random use never overlaps and gives everything back") {
    std::mt19937 random(7);
    BlockSpace space(1 << 16);
    std::map<uint64_t, uint64_t> live;
    for (int step = 0; step < 4000; ++step) {
        if (live.size() < 40 && random() % 2 == 0) {
            const uint64_t size = 1 + random() % 3000;
            const uint64_t alignment = uint64_t{1} << random() % 9;
            const auto offset = space.take(size, alignment);
            if (!offset) continue;
            CHECK(*offset % alignment == 0);
            CHECK(*offset + size <= space.size_bytes());
            const auto next = live.lower_bound(*offset);
            if (next != live.end()) CHECK(*offset + size <= next->first);
            if (next != live.begin()) CHECK(std::prev(next)->first + std::prev(next)->second <= *offset);
            live[*offset] = size;
        } else if (!live.empty()) {
            auto one = std::next(live.begin(), random() % live.size());
            space.release(one->first, one->second);
            live.erase(one);
        }
    }
    for (const auto& [offset, size] : live) space.release(offset, size);
    CHECK(space.is_empty());
}
