#include "runtime/step_builder.h"

#include <cstring>
#include <doctest/doctest.h>
#include <set>

using namespace vkinfer;
using namespace vkinfer::runtime;

TEST_CASE("tokens of a sequence that follow each other are one chunk") {
    std::vector<StepChunk> chunks;
    const std::vector<StepToken> tokens{{5, 10, 0}, {6, 11, 0}, {7, 0, 1}, {8, 3, 2}, {9, 12, 0}};
    find_chunks(tokens, chunks);
    REQUIRE(chunks.size() == 4);
    CHECK(chunks[0].n_tokens == 2);
    CHECK(chunks[0].first_position == 10);
    CHECK(chunks[1].sequence == 1);
    CHECK(chunks[2].first_position == 3);
    CHECK(chunks[3].first_token == 4);
}

TEST_CASE("tiles cover every query row of every chunk once, whatever their height") {
    const std::vector<StepToken> tokens = [] {
        std::vector<StepToken> t;
        for (int i = 0; i < 13; ++i) t.push_back({i, 100 + i, 0, false});
        t.push_back({1, 7, 1, true});
        for (int i = 0; i < 5; ++i) t.push_back({i, i, 2, i == 4});
        return t;
    }();
    std::vector<StepChunk> chunks;
    find_chunks(tokens, chunks);
    for (const uint32_t group : {1u, 3u, 8u}) {
        for (const uint32_t rows : {1u, 4u, 7u, 16u}) {
            const graph::StepLayout layout{
                .max_tokens = 32, .max_outputs = 4, .max_tiles = 256, .max_sequences = 3, .max_pages = 4};
            std::vector<std::byte> buffer(layout.size_bytes());
            write_step(buffer.data(), layout, tokens, chunks, group, rows);
            uint32_t counts[3];
            std::memcpy(counts, buffer.data(), sizeof counts);
            CHECK(counts[graph::kCountTokens] == tokens.size());
            CHECK(counts[graph::kCountOutputs] == 2);
            REQUIRE(counts[graph::kCountTiles] == count_tiles(chunks, group, rows));
            std::set<std::pair<uint32_t, uint32_t>> covered;
            for (uint32_t i = 0; i < counts[graph::kCountTiles]; ++i) {
                graph::StepTileRecord tile;
                std::memcpy(&tile, buffer.data() + layout.tiles_offset() + i * sizeof tile, sizeof tile);
                for (uint32_t r = tile.first_row; r < std::min(tile.first_row + rows, tile.n_tokens * group); ++r)
                    CHECK(covered.insert({tile.first_token + r / group, r % group}).second);
            }
            CHECK(covered.size() == tokens.size() * group);
            uint32_t outputs[2];
            std::memcpy(outputs, buffer.data() + layout.outputs_offset(), sizeof outputs);
            CHECK(outputs[0] == 13);
            CHECK(outputs[1] == 18);
        }
    }
}
