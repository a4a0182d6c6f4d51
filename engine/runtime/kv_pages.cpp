#include "runtime/kv_pages.h"

#include <format>

namespace vkinfer::runtime {

KvPages::KvPages(uint32_t n_pages, uint32_t page_tokens, uint32_t max_sequences, uint32_t max_pages_per_sequence)
    : page_tokens_(page_tokens), max_pages_per_sequence_(max_pages_per_sequence), sequences_(max_sequences) {
    free_.reserve(n_pages);
    for (uint32_t page = n_pages; page > 0; --page) free_.push_back(page - 1);
    for (auto& pages : sequences_) pages.reserve(max_pages_per_sequence);
}

Result<void> KvPages::reserve(uint32_t sequence, uint32_t n_tokens) {
    std::vector<uint32_t>& pages = sequences_[sequence];
    const uint32_t wanted = (n_tokens + page_tokens_ - 1) / page_tokens_;
    if (wanted > max_pages_per_sequence_) {
        return fail(ErrorKind::context_overflow, std::format("{} tokens, but a sequence holds {}.", n_tokens,
                                                             max_pages_per_sequence_ * page_tokens_));
    }
    if (wanted > pages.size() && wanted - pages.size() > free_.size()) {
        return fail(ErrorKind::out_of_memory,
                    std::format("The KV cache has {} free pages of {} tokens, {} are needed.", free_.size(),
                                page_tokens_, wanted - pages.size()),
                    "Lower -c or -np, or use a smaller KV type (-ctk, -ctv).");
    }
    while (pages.size() < wanted) {
        pages.push_back(free_.back());
        free_.pop_back();
    }
    return {};
}

void KvPages::truncate(uint32_t sequence, uint32_t n_tokens) {
    std::vector<uint32_t>& pages = sequences_[sequence];
    const uint32_t kept = (n_tokens + page_tokens_ - 1) / page_tokens_;
    while (pages.size() > kept) {
        free_.push_back(pages.back());
        pages.pop_back();
    }
}

} // namespace vkinfer::runtime
