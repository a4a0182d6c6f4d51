// The step buffer: what changes from step to step while plans are replayed. The host fills it, every kernel reads it.
#pragma once

#include <cstdint>

namespace vkinfer::graph {

/// Counters at the start of the step buffer; the indices are those of shaders/include/common.glsl.
enum StepCount : uint32_t {
    kCountTokens = 0,
    kCountOutputs = 1,
    kCountTiles = 2,
    kCountRunning = 3,
    kStepCounters = 16
};

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

/// How a row of logits is sampled; the shaders' SampleRow (shaders/include/sampling.glsl), which says what is what.
struct SampleRowRecord {
    enum Flag : uint32_t { kGreedy = 1, kTopP = 2, kStops = 4, kPenalties = 8 };
    uint32_t flags = 0;
    uint32_t top_k = 0;
    uint32_t top_p = 0;
    uint32_t least_weight = 0;
    float scale = 1;
    float inverse_repeat = 1, repeat = 1, frequency = 0, presence = 0;
    uint32_t n_window = 0, window_capacity = 0, window_next = 0;
    uint32_t first_edit = 0, n_edits = 0;
    uint32_t first_tile = 0, n_tiles = 0;
    uint32_t seed[2] = {};
    uint32_t n_drawn[2] = {};
    uint32_t n_steps = 0;
    uint32_t is_done = 0;
};

/// A bias of a token's logit.
struct SampleEditRecord {
    uint32_t token = 0;
    float bias = 0;
};

// Limits of sampling on the device; what goes beyond them is sampled on the host.
inline constexpr uint32_t kSampleWindow = 256; ///< tokens that penalties look at
inline constexpr uint32_t kSampleTopK = 1024;
inline constexpr uint32_t kSampleEdits = 4096; ///< of all rows of a step
inline constexpr uint32_t kSampleStops = 63;
inline constexpr uint32_t kSampleSteps = 16; ///< that follow each other without the host

/// Sizes and places inside the step buffer; each part starts at a multiple of 256 bytes.
struct StepLayout {
    uint32_t max_tokens = 0;
    uint32_t max_outputs = 0;
    uint32_t max_tiles = 0;
    uint32_t max_sequences = 0;
    uint32_t max_pages = 0;   ///< entries of one sequence in the page table
    uint32_t max_samples = 0; ///< rows of logits that are sampled here

    uint64_t counts_bytes() const { return sizeof(uint32_t) * kStepCounters; }
    uint64_t tokens_bytes() const { return sizeof(StepTokenRecord) * uint64_t{max_tokens}; }
    uint64_t outputs_bytes() const { return sizeof(uint32_t) * uint64_t{max_outputs}; }
    uint64_t tiles_bytes() const { return sizeof(StepTileRecord) * uint64_t{max_tiles}; }
    uint64_t pages_bytes() const { return sizeof(uint32_t) * uint64_t{max_sequences} * max_pages; }

    uint64_t sample_rows_bytes() const { return sizeof(SampleRowRecord) * uint64_t{max_samples}; }
    uint64_t sample_window_bytes() const { return sizeof(uint32_t) * uint64_t{max_samples} * kSampleWindow; }
    static uint64_t sample_edits_bytes() { return sizeof(SampleEditRecord) * kSampleEdits; }
    static uint64_t sample_stops_bytes() { return sizeof(uint32_t) * (1 + kSampleStops); }
    uint64_t sample_results_bytes() const { return sizeof(uint32_t) * uint64_t{max_samples} * kSampleSteps; }

    uint64_t counts_offset() const { return 0; }
    uint64_t tokens_offset() const { return align(counts_bytes()); }
    uint64_t outputs_offset() const { return tokens_offset() + align(tokens_bytes()); }
    uint64_t tiles_offset() const { return outputs_offset() + align(outputs_bytes()); }
    uint64_t pages_offset() const { return tiles_offset() + align(tiles_bytes()); }
    uint64_t sample_rows_offset() const { return pages_offset() + align(pages_bytes()); }
    uint64_t sample_window_offset() const { return sample_rows_offset() + align(sample_rows_bytes()); }
    uint64_t sample_edits_offset() const { return sample_window_offset() + align(sample_window_bytes()); }
    uint64_t sample_stops_offset() const { return sample_edits_offset() + align(sample_edits_bytes()); }
    uint64_t sample_results_offset() const { return sample_stops_offset() + align(sample_stops_bytes()); }
    uint64_t size_bytes() const { return sample_results_offset() + align(sample_results_bytes()); }

private:
    static uint64_t align(uint64_t bytes) { return (bytes + 255) / 256 * 256; }
};

} // namespace vkinfer::graph
