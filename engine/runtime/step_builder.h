// Turns the tokens of a step into the contents of the step buffer: token records, wanted rows, and tiles of query rows.
#pragma once

#include "graph/step_layout.h"
#include "runtime/model_runner.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace vkinfer::runtime {

/// Consecutive tokens of one sequence within a step.
struct StepChunk {
    uint32_t sequence = 0;
    uint32_t first_token = 0;
    uint32_t n_tokens = 0;
    uint32_t first_position = 0;
};

/// Splits a step into chunks. Tokens of one sequence that follow each other with ascending positions form one chunk.
void find_chunks(std::span<const StepToken> tokens, std::vector<StepChunk>& chunks);

/// Tiles that the chunks need when a tile has rows_per_tile rows and a K/V head serves `group` query heads.
uint32_t count_tiles(std::span<const StepChunk> chunks, uint32_t group, uint32_t rows_per_tile);

/// Writes counters, tokens, outputs and tiles into the mapped step buffer (the page table is written by the runner).
void write_step(std::byte* step_buffer, const graph::StepLayout& layout, std::span<const StepToken> tokens,
                std::span<const StepChunk> chunks, uint32_t group, uint32_t rows_per_tile);

} // namespace vkinfer::runtime
