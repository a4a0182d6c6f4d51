// Which pages of the KV cache belong to which sequence. Pure bookkeeping: the pools themselves are device memory.
#pragma once

#include "base/error.h"

#include <cstdint>
#include <span>
#include <vector>

namespace vkinfer::runtime {

/// Hands out pages of page_tokens tokens. One page holds K and V of all layers for its tokens.
class KvPages {
public:
    KvPages(uint32_t n_pages, uint32_t page_tokens, uint32_t max_sequences, uint32_t max_pages_per_sequence);

    /// Makes sure that the sequence has pages for n_tokens; changes nothing when they are not there.
    /// Errors: out_of_memory (pool used up), context_overflow (more than a sequence may have).
    Result<void> reserve(uint32_t sequence, uint32_t n_tokens);
    /// Gives back the pages behind those that n_tokens need.
    void truncate(uint32_t sequence, uint32_t n_tokens);

    std::span<const uint32_t> pages_of(uint32_t sequence) const { return sequences_[sequence]; }
    uint32_t n_free() const { return static_cast<uint32_t>(free_.size()); }
    uint32_t page_tokens() const { return page_tokens_; }

private:
    uint32_t page_tokens_;
    uint32_t max_pages_per_sequence_;
    std::vector<uint32_t> free_; ///< a stack: the page given back last is used next, it is the likeliest in a cache
    std::vector<std::vector<uint32_t>> sequences_;
};

} // namespace vkinfer::runtime
