#version 460
// Merges the splits of attention.comp: with M = max of the m_s,  y = sum_s 2^(m_s - M) acc_s / sum_s 2^(m_s - M) l_s
// (the online softmax works in powers of two); a sink s counts as 2^(s - M) in the divisor. One workgroup per query row
// and K/V head of a tile.
#include "common.glsl"
#include "attention_tile.glsl"
#include "attention_combine.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_TILES, scalar) readonly restrict buffer Tiles { uvec4 tiles[]; };
layout(binding = BIND_PARTIALS, scalar) readonly restrict buffer Partials { float partials[]; };
layout(binding = BIND_Y, scalar) writeonly restrict buffer Y { float y[]; };

const uint kMaxSplits = 64u; // kernels::kMaxAttentionSplits
shared float maxima[kMaxSplits], sums[kMaxSplits];

void main() {
    const uint kv_head = gl_WorkGroupID.x / n_rows;
    const uint r = gl_WorkGroupID.x % n_rows;
    const uint tile_index = gl_WorkGroupID.y;
    if (tile_index >= counts[kCountTiles]) return;
    const Tile tile = tile_of(tiles[2 * tile_index], tiles[2 * tile_index + 1]);
    const uint group = n_heads / n_kv_heads;
    const uint row = tile.first_row + r;
    if (row >= tile.n_tokens * group) return;

    const uint stride = n_rows * (value_size + 2);
    const uint from = (tile_index * n_kv_heads + kv_head) * push.n_splits * stride + r * (value_size + 2);
    // An empty split wrote no sums: its denominator is 0.
    for (uint s = gl_LocalInvocationIndex; s < kMaxSplits; s += local_size) {
        const uint at = from + min(s, push.n_splits - 1u) * stride + value_size;
        const float l = s < push.n_splits ? partials[at + 1] : 0.0;
        sums[s] = l;
        maxima[s] = l > 0.0 ? partials[at] : -1e30;
    }
    barrier();
    float largest = -1e30;
    for (uint s = 0; s < push.n_splits; s++) largest = max(largest, maxima[s]);
    float total = 0.0;
    if (has_sinks != 0) {
        const float sink = AddrF32(push.sinks).v[kv_head * group + row % group] * 1.4426950408889634;
        largest = max(largest, sink);
        total = exp2(sink - largest);
    }
    for (uint s = 0; s < push.n_splits; s++) total += sums[s] * exp2(maxima[s] - largest);
    const uint to = (tile.first_token + row / group) * push.y_stride + (kv_head * group + row % group) * value_size;
    for (uint d = gl_LocalInvocationIndex; d < value_size; d += local_size) {
        float value = 0.0;
        for (uint s = 0; s < push.n_splits; s += 8) { // loads of eight splits at once
            float part[8];
            [[unroll]] for (uint j = 0; j < 8; j++) part[j] = partials[from + min(s + j, push.n_splits - 1u) * stride + d];
            [[unroll]] for (uint j = 0; j < 8; j++) {
                if (s + j < push.n_splits && sums[s + j] > 0.0) value += part[j] * exp2(maxima[s + j] - largest);
            }
        }
        y[to + d] = value / total;
    }
}
