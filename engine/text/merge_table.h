// Byte-pair merging, shared by every kind of vocabulary that merges: which two adjacent symbols may become one, and in
// what order. A symbol is a number that the owner gives to a text; ranks are dense, lower ranks merge first, and of
// equal ranks the leftmost.
#pragma once

#include <cstdint>
#include <vector>

namespace vkinfer::text {

using Symbol = uint32_t;
/// A character that no token contains: it never merges.
inline constexpr Symbol kNoSymbol = UINT32_MAX;

/// Working memory of MergeTable::merge(), kept between calls to save allocations.
struct MergeScratch {
    /// Positions that wait for one rank.
    struct Bucket {
        std::vector<uint32_t> positions; ///< sorted from `head` on once it is open
        std::vector<uint32_t> late;      ///< a heap of what came after it was opened
        size_t head = 0;
        bool open = false;
        bool sorted = true;
    };
    std::vector<uint32_t> next, previous, rank;
    std::vector<Symbol> merged;
    std::vector<uint32_t> ranks;     ///< heap of the ranks that have a bucket
    std::vector<uint32_t> bucket_of; ///< rank -> index in `buckets`, or none
    std::vector<Bucket> buckets;
    std::vector<uint32_t> free_buckets;

    size_t size_bytes() const;
};

class MergeTable {
public:
    /// Room for `n_pairs`; more is fine.
    explicit MergeTable(size_t n_pairs = 0);

    /// The first entry of a pair stands.
    void add(Symbol left, Symbol right, uint32_t rank, Symbol merged);

    struct Merge {
        uint32_t rank;
        Symbol symbol;
    };
    /// Null when the two never merge.
    const Merge* find(Symbol left, Symbol right) const;

    size_t size() const { return n_used_; }

    template<class Visit> // (Symbol left, Symbol right)
    void for_each_pair(Visit visit) const {
        for (const Slot& slot : slots_) {
            if (slot.key != kEmpty) visit(static_cast<Symbol>(slot.key >> 32), static_cast<Symbol>(slot.key));
        }
    }

    /// Merges until no adjacent pair can: O(n log n), and the plain loop for short words.
    void merge(std::vector<Symbol>& symbols, MergeScratch& scratch) const;

private:
    static constexpr uint64_t kEmpty = UINT64_MAX; // no pair: kNoSymbol is never added

    struct Slot {
        uint64_t key = kEmpty;
        Merge merge{};
    };

    size_t slot_of(uint64_t key) const;
    void grow(size_t n_slots);
    void merge_short(std::vector<Symbol>& symbols) const;
    void merge_long(std::vector<Symbol>& symbols, MergeScratch& scratch) const;

    std::vector<Slot> slots_; // open addressing, a power of two, at most half full
    size_t n_used_ = 0;
    uint32_t n_ranks_ = 0;
};

} // namespace vkinfer::text
