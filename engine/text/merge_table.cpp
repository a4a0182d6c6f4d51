#include "text/merge_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>

namespace vkinfer::text {

namespace {

constexpr uint32_t kNone = UINT32_MAX;
/// Up to this many symbols the quadratic loop over two small arrays beats every queue.
constexpr size_t kShortWord = 40;

} // namespace

size_t MergeScratch::size_bytes() const {
    size_t bytes =
        4 * (next.capacity() + previous.capacity() + rank.capacity() + merged.capacity() + bucket_of.capacity());
    for (const Bucket& bucket : buckets) bytes += 4 * (bucket.positions.capacity() + bucket.late.capacity());
    return bytes;
}

MergeTable::MergeTable(size_t n_pairs) {
    grow(std::bit_ceil(std::max<size_t>(16, 2 * n_pairs)));
}

size_t MergeTable::slot_of(uint64_t key) const {
    uint64_t hash = key * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
    const size_t mask = slots_.size() - 1;
    size_t slot = static_cast<size_t>(hash) & mask;
    while (slots_[slot].key != key && slots_[slot].key != kEmpty) slot = (slot + 1) & mask;
    return slot;
}

void MergeTable::grow(size_t n_slots) {
    std::vector<Slot> old = std::move(slots_);
    slots_.assign(n_slots, Slot{});
    for (const Slot& slot : old) {
        if (slot.key != kEmpty) slots_[slot_of(slot.key)] = slot;
    }
}

void MergeTable::add(Symbol left, Symbol right, uint32_t rank, Symbol merged) {
    if (2 * (n_used_ + 1) > slots_.size()) grow(2 * slots_.size());
    const uint64_t key = uint64_t{left} << 32 | right;
    Slot& slot = slots_[slot_of(key)];
    if (slot.key == key) return;
    slot = {key, {rank, merged}};
    ++n_used_;
    n_ranks_ = std::max(n_ranks_, rank + 1);
}

const MergeTable::Merge* MergeTable::find(Symbol left, Symbol right) const {
    if (left == kNoSymbol || right == kNoSymbol) return nullptr;
    const Slot& slot = slots_[slot_of(uint64_t{left} << 32 | right)];
    return slot.key == kEmpty ? nullptr : &slot.merge;
}

void MergeTable::merge(std::vector<Symbol>& symbols, MergeScratch& scratch) const {
    if (symbols.size() < 2) return;
    if (symbols.size() <= kShortWord) {
        merge_short(symbols);
    } else {
        merge_long(symbols, scratch);
    }
}

void MergeTable::merge_short(std::vector<Symbol>& symbols) const {
    std::array<Merge, kShortWord> pairs; // pairs[i] joins symbols i and i + 1
    const auto look_up = [&](size_t i) {
        const Merge* found = find(symbols[i], symbols[i + 1]);
        pairs[i] = found == nullptr ? Merge{kNone, 0} : *found;
    };
    size_t n = symbols.size();
    for (size_t i = 0; i + 1 < n; ++i) look_up(i);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; ++i) {
            if (pairs[i].rank < pairs[best].rank) best = i;
        }
        if (pairs[best].rank == kNone) break;
        symbols[best] = pairs[best].symbol;
        --n;
        for (size_t i = best + 1; i < n; ++i) symbols[i] = symbols[i + 1];
        for (size_t i = best + 1; i + 1 < n; ++i) pairs[i] = pairs[i + 1];
        if (best + 1 < n) look_up(best);
        if (best > 0) look_up(best - 1);
    }
    symbols.resize(n);
}

// A queue of (rank, position) over millions of symbols would spend its time in cache misses. Nearly all entries of one
// rank are known before its turn comes, and in order of position, so each rank has a bucket that is read like a list;
// only ranks are in a heap. What arrives for a bucket that is being read waits in a small heap of its own, so the order
// is exactly that of one queue.
void MergeTable::merge_long(std::vector<Symbol>& symbols, MergeScratch& s) const {
    const auto n = static_cast<uint32_t>(symbols.size());
    s.next.resize(n);
    s.previous.resize(n);
    s.rank.assign(n, kNone);
    s.merged.resize(n);
    s.bucket_of.resize(std::max<size_t>(s.bucket_of.size(), n_ranks_), kNone);
    for (uint32_t i = 0; i < n; ++i) {
        s.next[i] = i + 1 < n ? i + 1 : kNone;
        s.previous[i] = i > 0 ? i - 1 : kNone;
    }
    const auto lower_first = std::greater<>();
    const auto push = [&](uint32_t rank, uint32_t position) {
        uint32_t index = s.bucket_of[rank];
        if (index == kNone) {
            if (s.free_buckets.empty()) {
                s.free_buckets.push_back(static_cast<uint32_t>(s.buckets.size()));
                s.buckets.emplace_back();
            }
            index = s.bucket_of[rank] = s.free_buckets.back();
            s.free_buckets.pop_back();
            s.ranks.push_back(rank);
            std::ranges::push_heap(s.ranks, lower_first);
        }
        MergeScratch::Bucket& bucket = s.buckets[index];
        if (bucket.open) {
            bucket.late.push_back(position);
            std::ranges::push_heap(bucket.late, lower_first);
        } else {
            bucket.sorted = bucket.sorted && (bucket.positions.empty() || bucket.positions.back() <= position);
            bucket.positions.push_back(position);
        }
    };
    const auto look_up = [&](uint32_t left) {
        const uint32_t right = s.next[left];
        const Merge* found = right == kNone ? nullptr : find(symbols[left], symbols[right]);
        s.rank[left] = found == nullptr ? kNone : found->rank;
        if (found == nullptr) return;
        s.merged[left] = found->symbol;
        push(found->rank, left);
    };
    for (uint32_t i = 0; i + 1 < n; ++i) look_up(i);

    while (!s.ranks.empty()) {
        const uint32_t rank = s.ranks.front();
        const uint32_t index = s.bucket_of[rank];
        MergeScratch::Bucket& bucket = s.buckets[index];
        if (!bucket.open) {
            if (!bucket.sorted) std::ranges::sort(bucket.positions);
            bucket.open = true;
        }
        uint32_t left;
        if (bucket.head < bucket.positions.size() &&
            (bucket.late.empty() || bucket.positions[bucket.head] <= bucket.late.front())) {
            left = bucket.positions[bucket.head++];
        } else if (!bucket.late.empty()) {
            left = bucket.late.front();
            std::ranges::pop_heap(bucket.late, lower_first);
            bucket.late.pop_back();
        } else {
            bucket.positions.clear();
            bucket.head = 0;
            bucket.open = false;
            bucket.sorted = true;
            s.bucket_of[rank] = kNone;
            s.free_buckets.push_back(index);
            std::ranges::pop_heap(s.ranks, lower_first);
            s.ranks.pop_back();
            continue;
        }
        if (s.rank[left] != rank) continue; // one of the two symbols has changed since
        const uint32_t right = s.next[left];
        symbols[left] = s.merged[left];
        s.rank[right] = kNone;
        s.next[left] = s.next[right];
        if (s.next[left] != kNone) s.previous[s.next[left]] = left;
        look_up(left);
        if (s.previous[left] != kNone) look_up(s.previous[left]);
    }

    size_t kept = 0;
    for (uint32_t i = 0; i != kNone; i = s.next[i]) symbols[kept++] = symbols[i];
    symbols.resize(kept);
}

} // namespace vkinfer::text
