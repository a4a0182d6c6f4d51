// Token ids of words seen lately. Direct-mapped and of fixed size: texts repeat their words, and a lookup is cheaper
// than merging; a collision only costs the older entry.
#pragma once

#include "text/vocabulary.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace vkinfer::text {

class WordCache {
public:
    static constexpr size_t kMaxBytes = 24;
    static constexpr size_t kMaxTokens = 8;

    struct Entry {
        std::array<uint64_t, kMaxBytes / 8> bytes{}; // zero-padded
        std::array<Token, kMaxTokens> tokens{};
        uint8_t length = 0; // 0: empty
        uint8_t n_tokens = 0;
    };

    WordCache() : entries_(kEntries) {}

    /// The place of a word of 1 ... kMaxBytes bytes, with `hit` telling whether it holds that word; otherwise the entry
    /// is already taken over for the word, with no tokens, and must be filled with put().
    Entry& find(std::string_view word, bool& hit) {
        std::array<uint64_t, kMaxBytes / 8> bytes{};
        std::memcpy(bytes.data(), word.data(), word.size());
        uint64_t hash = (bytes[0] ^ word.size()) * 0x9E3779B97F4A7C15u;
        hash = (hash ^ hash >> 29 ^ bytes[1]) * 0xBF58476D1CE4E5B9u;
        hash = (hash ^ hash >> 32 ^ bytes[2]) * 0x94D049BB133111EBu;
        Entry& entry = entries_[(hash >> 40) % kEntries];
        hit = entry.length == word.size() && entry.bytes == bytes;
        if (!hit) {
            entry.bytes = bytes;
            entry.length = 0;
        }
        return entry;
    }
    static void put(Entry& entry, size_t length, std::span<const Token> tokens) {
        if (tokens.size() > kMaxTokens) return;
        std::memcpy(entry.tokens.data(), tokens.data(), tokens.size_bytes());
        entry.n_tokens = static_cast<uint8_t>(tokens.size());
        entry.length = static_cast<uint8_t>(length);
    }

private:
    static constexpr size_t kEntries = 8192;
    std::vector<Entry> entries_;
};

} // namespace vkinfer::text
