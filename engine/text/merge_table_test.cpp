#include "text/merge_table.h"

#include <doctest/doctest.h>
#include <random>

using namespace vkinfer::text;

namespace {

/// The definition: again and again the leftmost pair of the lowest rank.
std::vector<Symbol> merge_plainly(const MergeTable& table, std::vector<Symbol> symbols) {
    for (;;) {
        const MergeTable::Merge* best = nullptr;
        size_t where = 0;
        for (size_t i = 0; i + 1 < symbols.size(); ++i) {
            const MergeTable::Merge* found = table.find(symbols[i], symbols[i + 1]);
            if (found != nullptr && (best == nullptr || found->rank < best->rank)) {
                best = found;
                where = i;
            }
        }
        if (best == nullptr) return symbols;
        symbols[where] = best->symbol;
        symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(where) + 1);
    }
}

} // namespace

TEST_CASE("merging follows rank and position, for words of every length") {
    std::mt19937 random(7);
    MergeScratch scratch;
    for (int round = 0; round < 300; ++round) {
        // Random tables, so that a merge may well open a pair of lower rank; in every third one ranks repeat.
        const uint32_t n_letters = 1 + random() % 4;
        Symbol n_symbols = n_letters;
        MergeTable table;
        for (uint32_t rank = 0; rank < 30; ++rank) {
            const uint32_t own_rank = round % 3 == 0 ? random() % 8 : round % 3 == 1 ? 29 - rank : rank;
            table.add(random() % n_symbols, random() % n_symbols, own_rank, n_symbols);
            ++n_symbols;
        }
        std::vector<Symbol> word(1 + random() % 300);
        for (Symbol& symbol : word) symbol = random() % 50 == 0 ? kNoSymbol : random() % n_letters;
        std::vector<Symbol> merged = word;
        table.merge(merged, scratch);
        REQUIRE(merged == merge_plainly(table, word));
    }
}

TEST_CASE("the first of two equal pairs stands") {
    MergeTable table;
    table.add(1, 2, 5, 10);
    table.add(1, 2, 3, 11);
    CHECK(table.size() == 1);
    CHECK(table.find(1, 2)->symbol == 10);
    CHECK(table.find(2, 1) == nullptr);
    CHECK(table.find(kNoSymbol, 1) == nullptr);
}
