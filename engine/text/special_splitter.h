// Finds special tokens in a text. Longer tokens win over shorter ones anywhere, not only at the same place: all
// occurrences of the longest token are cut out from left to right, then those of the next one in what is left, and so
// on. The result is computed in one pass over the text and a queue of the few places where a token can begin.
#pragma once

#include "text/vocabulary.h"

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace vkinfer::text {

class SpecialSplitter {
public:
    /// Tokens of types control, unknown and user-defined are special.
    explicit SpecialSplitter(const Vocabulary& vocabulary);

    struct Fragment {
        size_t begin, end; ///< bytes of the text
        Token token;       ///< kNoToken: plain text
    };
    /// The fragments of `text` in order, none of them empty. Without `parse_special`, only user-defined tokens are
    /// found.
    std::vector<Fragment> split(std::string_view text, bool parse_special) const;

private:
    struct Candidate {
        Token id;
        uint32_t length;
        bool user_defined;
        bool rstrip, lstrip;
    };
    struct Node {
        uint32_t first_edge = 0, n_edges = 0;
        int32_t candidate = -1;      ///< index in candidates_ of the token that ends here
        int32_t user_candidate = -1; ///< the same among the user-defined ones
    };

    void build_trie(const Vocabulary& vocabulary);
    int32_t child(int32_t node, uint8_t byte) const;
    /// The best candidate of at most `longest` bytes at the front of `text`, or -1.
    int32_t longest_match(std::string_view text, size_t longest, bool parse_special) const;

    std::vector<Candidate> candidates_; ///< longest first
    std::vector<Node> nodes_;
    std::vector<std::pair<uint8_t, int32_t>> edges_; ///< per node, sorted by byte
    std::array<bool, 256> may_begin_[2] = {};        ///< [parse_special]
};

} // namespace vkinfer::text
