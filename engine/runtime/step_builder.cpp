#include "runtime/step_builder.h"

#include "base/error.h"

namespace vkinfer::runtime {

void find_chunks(std::span<const StepToken> tokens, std::vector<StepChunk>& chunks) {
    chunks.clear();
    for (uint32_t i = 0; i < tokens.size(); ++i) {
        const auto sequence = static_cast<uint32_t>(tokens[i].sequence);
        const auto position = static_cast<uint32_t>(tokens[i].position);
        if (!chunks.empty()) {
            StepChunk& last = chunks.back();
            if (last.sequence == sequence && position == last.first_position + last.n_tokens) {
                ++last.n_tokens;
                continue;
            }
        }
        chunks.push_back({sequence, i, 1, position});
    }
}

uint32_t count_tiles(std::span<const StepChunk> chunks, uint32_t group, uint32_t rows_per_tile) {
    uint32_t n = 0;
    for (const StepChunk& chunk : chunks) n += (chunk.n_tokens * group + rows_per_tile - 1) / rows_per_tile;
    return n;
}

void write_step(std::byte* step_buffer, const graph::StepLayout& layout, std::span<const StepToken> tokens,
                std::span<const StepChunk> chunks, uint32_t group, uint32_t rows_per_tile) {
    auto* counts = reinterpret_cast<uint32_t*>(step_buffer + layout.counts_offset());
    auto* records = reinterpret_cast<graph::StepTokenRecord*>(step_buffer + layout.tokens_offset());
    auto* outputs = reinterpret_cast<uint32_t*>(step_buffer + layout.outputs_offset());
    auto* tiles = reinterpret_cast<graph::StepTileRecord*>(step_buffer + layout.tiles_offset());

    uint32_t n_outputs = 0;
    for (uint32_t i = 0; i < tokens.size(); ++i) {
        records[i] = {.token = static_cast<uint32_t>(tokens[i].token),
                      .position = static_cast<uint32_t>(tokens[i].position),
                      .sequence = static_cast<uint32_t>(tokens[i].sequence)};
        if (tokens[i].want_logits) outputs[n_outputs++] = i;
    }
    uint32_t n_tiles = 0;
    for (const StepChunk& chunk : chunks) {
        for (uint32_t row = 0; row < chunk.n_tokens * group; row += rows_per_tile) {
            VKINFER_ASSERT(n_tiles < layout.max_tiles);
            tiles[n_tiles++] = {.sequence = chunk.sequence,
                                .first_token = chunk.first_token,
                                .n_tokens = chunk.n_tokens,
                                .first_position = chunk.first_position,
                                .first_row = row};
        }
    }
    counts[graph::kCountTokens] = static_cast<uint32_t>(tokens.size());
    counts[graph::kCountOutputs] = n_outputs;
    counts[graph::kCountTiles] = n_tiles;
}

} // namespace vkinfer::runtime
