#version 460
// The wide part of sampling: logits (n_outputs, n_vocab) -> values, the same after logit bias and penalties with -infinity
// in place of NaN and 0 in place of -0; and blocks (n_outputs, n_blocks), the largest value of each block of them.
// A workgroup takes kTile logits of a row. Bound by reading the logits.
#include "common.glsl"
#include "sampling.glsl"
#include "sample_scan.gen.glsl"

layout(local_size_x = 256) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_LOGITS, scalar) readonly restrict buffer Logits { float logits[]; };
layout(binding = BIND_ROWS, scalar) readonly restrict buffer Rows { SampleRow rows[]; };
layout(binding = BIND_WINDOW, scalar) readonly restrict buffer Window { uint window[]; };
layout(binding = BIND_EDITS, scalar) readonly restrict buffer Edits { uvec2 edits[]; };
layout(binding = BIND_VALUES, scalar) writeonly restrict buffer Values { float values[]; };
layout(binding = BIND_BLOCKS, scalar) writeonly restrict buffer Blocks { float blocks[]; };

const uint kThreads = 256u;
const uint kTile = 2048u;
const uint kEach = kTile / kThreads;

shared float tile[kTile];
shared float largest[kThreads];

void main() {
    const uint r = gl_WorkGroupID.y;
    if (r >= counts[kCountOutputs]) return;
    const uint i0 = gl_LocalInvocationIndex;
    const uint first = gl_WorkGroupID.x * kTile;
    const uint n = min(kTile, n_vocab - first);
    const uint from = r * n_vocab + first;
    [[unroll]] for (uint j = 0; j < kEach; j++) {
        const uint i = j * kThreads + i0;
        tile[i] = i < n ? comparable(logits[from + i]) : kNoLogit;
    }
    barrier();
    if (rows[r].n_edits != 0u) {
        for (uint e = i0; e < rows[r].n_edits; e += kThreads) {
            const uvec2 edit = edits[rows[r].first_edit + e];
            const uint i = edit.x - first;
            if (edit.x < first || i >= n) continue;
            precise float x = tile[i] + uintBitsToFloat(edit.y);
            tile[i] = comparable(x);
        }
        barrier();
    }
    if ((rows[r].flags & kSamplePenalties) != 0u) {
        const uint at = r * kSampleWindow;
        for (uint w = i0; w < rows[r].n_window; w += kThreads) {
            const uint token = window[at + w];
            const uint i = token - first;
            if (token < first || i >= n) continue;
            // The first of equal tokens acts for them all.
            uint count = 0u, earlier = 0u;
            for (uint v = 0; v < rows[r].n_window; v++) {
                const bool same = window[at + v] == token;
                if (same) count++;
                if (same && v < w) earlier++;
            }
            if (earlier != 0u) continue;
            float x = tile[i];
            precise float scaled = x > 0.0 ? x * rows[r].inverse_repeat : x * rows[r].repeat;
            precise float off = float(count) * rows[r].frequency;
            off = off + rows[r].presence;
            scaled = scaled - off;
            tile[i] = comparable(scaled);
        }
        barrier();
    }
    [[unroll]] for (uint j = 0; j < kEach; j++) {
        const uint i = j * kThreads + i0;
        if (i < n) values[from + i] = tile[i];
    }
    float most = kNoLogit;
    [[unroll]] for (uint j = 0; j < kEach; j++) most = max(most, tile[i0 * kEach + j]);
    // Blocks are of 64 logits at least: of 8 threads.
    const uint threads = block / kEach;
    largest[i0] = most;
    barrier();
    [[dont_unroll]] for (uint s = threads / 2u; s > 0u; s /= 2u) {
        if (i0 % threads < s) largest[i0] = max(largest[i0], largest[i0 + s]);
        barrier();
    }
    const uint b = first / block + i0 / threads;
    if (i0 % threads == 0u && b < (n_vocab + block - 1u) / block) blocks[r * n_blocks + b] = largest[i0];
}
