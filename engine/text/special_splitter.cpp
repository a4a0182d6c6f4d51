#include "text/special_splitter.h"

#include "text/unicode.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <map>
#include <numeric>

namespace vkinfer::text {

namespace {

/// One bit per byte of the text: taken by a token that was cut out, or by white space that goes with it.
class TakenBytes {
public:
    explicit TakenBytes(size_t n_bytes) : words_(n_bytes / 64 + 1) {}
    bool is_taken(size_t at) const { return (words_[at / 64] >> (at % 64) & 1) != 0; }
    void take(size_t begin, size_t end) {
        for (size_t at = begin; at < end; ++at) words_[at / 64] |= uint64_t{1} << (at % 64);
    }
    /// The first taken byte in [begin, end), or `end`.
    size_t first_taken(size_t begin, size_t end) const {
        for (size_t at = begin; at < end;) {
            const uint64_t word = words_[at / 64] >> (at % 64);
            if (word != 0) return std::min(end, at + static_cast<size_t>(std::countr_zero(word)));
            at = (at / 64 + 1) * 64;
        }
        return end;
    }

private:
    std::vector<uint64_t> words_;
};

/// Keeps a search for them linear in the text, whatever a file says; real ones have a few dozen bytes.
constexpr size_t kLongestSpecial = 1024;

bool is_ascii_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

} // namespace

SpecialSplitter::SpecialSplitter(const Vocabulary& vocabulary) {
    for (size_t id = 0; id < vocabulary.types.size(); ++id) {
        const TokenType type = vocabulary.types[id];
        const size_t length = vocabulary.tokens[id].size();
        if (length == 0 || length > kLongestSpecial) continue;
        if (type != TokenType::control && type != TokenType::unknown && type != TokenType::user_defined) continue;
        const auto token = static_cast<Token>(id);
        candidates_.push_back({token, static_cast<uint32_t>(length), type == TokenType::user_defined,
                               std::ranges::contains(vocabulary.rstrip, token),
                               std::ranges::contains(vocabulary.lstrip, token)});
    }
    std::ranges::stable_sort(candidates_, std::greater<>(), &Candidate::length);
    build_trie(vocabulary);
}

void SpecialSplitter::build_trie(const Vocabulary& vocabulary) {
    // Sorted texts give each node's edges as a contiguous range; nodes are made level by level.
    std::vector<uint32_t> order(candidates_.size());
    std::iota(order.begin(), order.end(), 0);
    const auto text = [&](uint32_t i) -> std::string_view {
        return vocabulary.tokens[static_cast<size_t>(candidates_[i].id)];
    };
    std::ranges::stable_sort(order, {}, text);
    struct Range {
        size_t begin, end, depth;
    };
    std::vector<Range> ranges = {{0, order.size(), 0}};
    nodes_.emplace_back();
    for (size_t n = 0; n < nodes_.size(); ++n) {
        const Range range = ranges[n];
        size_t at = range.begin;
        for (; at < range.end && text(order[at]).size() == range.depth; ++at) {
            // Of several tokens with one text the first in the order of candidates counts.
            const auto index = static_cast<int32_t>(order[at]);
            if (nodes_[n].candidate < 0 || index < nodes_[n].candidate) nodes_[n].candidate = index;
            if (candidates_[order[at]].user_defined &&
                (nodes_[n].user_candidate < 0 || index < nodes_[n].user_candidate)) {
                nodes_[n].user_candidate = index;
            }
        }
        nodes_[n].first_edge = static_cast<uint32_t>(edges_.size());
        while (at < range.end) {
            const char byte = text(order[at])[range.depth];
            size_t end = at;
            while (end < range.end && text(order[end])[range.depth] == byte) ++end;
            edges_.emplace_back(static_cast<uint8_t>(byte), static_cast<int32_t>(nodes_.size()));
            nodes_.emplace_back();
            ranges.push_back({at, end, range.depth + 1});
            at = end;
        }
        nodes_[n].n_edges = static_cast<uint32_t>(edges_.size()) - nodes_[n].first_edge;
    }
    for (uint32_t i = 0; i < candidates_.size(); ++i) {
        const auto first = static_cast<uint8_t>(text(i)[0]);
        may_begin_[1][first] = true;
        if (candidates_[i].user_defined) may_begin_[0][first] = true;
    }
}

int32_t SpecialSplitter::child(int32_t node, uint8_t byte) const {
    const Node& n = nodes_[static_cast<size_t>(node)];
    const auto begin = edges_.begin() + n.first_edge;
    const auto end = begin + n.n_edges;
    const auto found = std::lower_bound(begin, end, byte, [](const auto& edge, uint8_t b) { return edge.first < b; });
    return found != end && found->first == byte ? found->second : -1;
}

int32_t SpecialSplitter::longest_match(std::string_view text, size_t longest, bool parse_special) const {
    int32_t best = -1;
    int32_t node = 0;
    for (size_t i = 0; i < std::min(longest, text.size()); ++i) {
        node = child(node, static_cast<uint8_t>(text[i]));
        if (node < 0) break;
        const Node& n = nodes_[static_cast<size_t>(node)];
        const int32_t candidate = parse_special ? n.candidate : n.user_candidate;
        if (candidate >= 0) best = candidate;
    }
    return best;
}

std::vector<SpecialSplitter::Fragment> SpecialSplitter::split(std::string_view text, bool parse_special) const {
    std::vector<Fragment> fragments;
    // Places that wait for the turn of a candidate, by candidate: longest first, as cutting one by one would find them.
    std::map<int32_t, std::vector<uint32_t>> places;
    const std::array<bool, 256>& may_begin = may_begin_[parse_special ? 1 : 0];
    for (uint32_t at = 0; at < text.size(); ++at) {
        if (!may_begin[static_cast<uint8_t>(text[at])]) continue;
        const int32_t candidate = longest_match(text.substr(at), text.size(), parse_special);
        if (candidate >= 0) places[candidate].push_back(at);
    }
    if (places.empty()) {
        if (!text.empty()) fragments.push_back({0, text.size(), kNoToken});
        return fragments;
    }

    struct Found {
        size_t begin, end;             // of the token
        size_t taken_begin, taken_end; // with the white space that goes with it
        Token token;
    };
    std::vector<Found> found;
    TakenBytes taken(text.size());
    while (!places.empty()) {
        auto turn = places.extract(places.begin());
        const Candidate& candidate = candidates_[static_cast<size_t>(turn.key())];
        std::ranges::sort(turn.mapped()); // places that came from longer candidates are out of order
        for (const uint32_t begin : turn.mapped()) {
            if (taken.is_taken(begin)) continue;
            const size_t room = taken.first_taken(begin, begin + candidate.length) - begin;
            if (room < candidate.length) {
                const int32_t shorter = longest_match(text.substr(begin), room, parse_special);
                if (shorter >= 0) places[shorter].push_back(begin);
                continue;
            }
            const size_t end = begin + candidate.length;
            size_t taken_begin = begin;
            size_t taken_end = end;
            if (candidate.lstrip) {
                while (taken_begin > 0 && is_ascii_space(text[taken_begin - 1]) && !taken.is_taken(taken_begin - 1)) {
                    --taken_begin;
                }
            }
            if (candidate.rstrip) {
                while (taken_end < text.size() && is_ascii_space(text[taken_end]) && !taken.is_taken(taken_end))
                    ++taken_end;
            }
            taken.take(taken_begin, taken_end);
            found.push_back({begin, end, taken_begin, taken_end, candidate.id});
        }
    }
    std::ranges::sort(found, {}, &Found::begin);
    size_t at = 0;
    for (const Found& f : found) {
        if (f.taken_begin > at) fragments.push_back({at, f.taken_begin, kNoToken});
        fragments.push_back({f.begin, f.end, f.token});
        at = f.taken_end;
    }
    if (at < text.size()) fragments.push_back({at, text.size(), kNoToken});
    return fragments;
}

} // namespace vkinfer::text
