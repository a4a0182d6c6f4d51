// The step buffer: what changes from step to step while plans are replayed. The host fills it, every kernel reads it.
#pragma once

#include <cstdint>

namespace vkinfer::graph {

/// Counters at the start of the step buffer; the indices are those of shaders/include/common.glsl.
enum StepCount : uint32_t { kCountTokens = 0, kCountOutputs = 1, kCountTiles = 2, kStepCounters = 16 };

/// One token of the step (uvec4).
struct StepTokenRecord {
    uint32_t token = 0;
    uint32_t position = 0;
    uint32_t sequence = 0; ///< row of the page table
    uint32_t unused = 0;
};

/// Query rows of attention that share a workgroup (two uvec4); rows count (token of the chunk, grouped head).
struct StepTileRecord {
    uint32_t sequence = 0;
    uint32_t first_token = 0;    ///< index in the step of the chunk's first token
    uint32_t n_tokens = 0;       ///< tokens of the chunk
    uint32_t first_position = 0; ///< position of the chunk's first token
    uint32_t first_row = 0;
    uint32_t unused[3] = {};
};

/// Sizes and places inside the step buffer; each part starts at a multiple of 256 bytes.
struct StepLayout {
    uint32_t max_tokens = 0;
    uint32_t max_outputs = 0;
    uint32_t max_tiles = 0;
    uint32_t max_sequences = 0;
    uint32_t max_pages = 0; ///< entries of one sequence in the page table

    uint64_t counts_bytes() const { return sizeof(uint32_t) * kStepCounters; }
    uint64_t tokens_bytes() const { return sizeof(StepTokenRecord) * uint64_t{max_tokens}; }
    uint64_t outputs_bytes() const { return sizeof(uint32_t) * uint64_t{max_outputs}; }
    uint64_t tiles_bytes() const { return sizeof(StepTileRecord) * uint64_t{max_tiles}; }
    uint64_t pages_bytes() const { return sizeof(uint32_t) * uint64_t{max_sequences} * max_pages; }

    uint64_t counts_offset() const { return 0; }
    uint64_t tokens_offset() const { return align(counts_bytes()); }
    uint64_t outputs_offset() const { return tokens_offset() + align(tokens_bytes()); }
    uint64_t tiles_offset() const { return outputs_offset() + align(outputs_bytes()); }
    uint64_t pages_offset() const { return tiles_offset() + align(tiles_bytes()); }
    uint64_t size_bytes() const { return pages_offset() + align(pages_bytes()); }

private:
    static uint64_t align(uint64_t bytes) { return (bytes + 255) / 256 * 256; }
};

} // namespace vkinfer::graph
