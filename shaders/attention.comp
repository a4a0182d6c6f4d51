#version 460
// Y = softmax(Q K^T * scale + causal) V    for n_rows query rows that share one K/V head; online softmax in f32.
// A window hides keys that are `window` or more positions back (the query's own position counts, so it sees at most
// `window` keys). A sink is one more logit per head, not scaled, that takes part in the softmax and has no value.
//   Q: (n_tokens, q_stride) f32 with heads of head_size first; Y: (n_tokens, y_stride) f32; K, V: paged (kv.glsl)
// Grid: K/V heads x tiles x splits. The loop is in include/attention_rows.glsl.
#include "common.glsl"
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "kv.glsl"
#include "attention_tile.glsl"
#include "attention.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_TILES, scalar) readonly restrict buffer Tiles { uvec4 tiles[]; };
layout(binding = BIND_PAGES, scalar) readonly restrict buffer Pages { uint pages[]; };
layout(binding = BIND_Q, scalar) readonly restrict buffer Q { vec4 q[]; };
#include "y_store.glsl"
layout(binding = BIND_PARTIALS, scalar) coherent buffer Partials { float partials[]; };
layout(binding = BIND_ARRIVALS, scalar) coherent buffer Arrivals { uint arrivals[]; };
#include "attention_rows.glsl"

uint q_at[n_rows]; // in vec4
vec4 query(uint row, uint i) { return q[q_at[row] + i]; }

void main() {
    const uint kv_head = gl_WorkGroupID.x;
    const uint tile_index = gl_WorkGroupID.y;
    const uint split = gl_WorkGroupID.z;
    if (tile_index >= counts[kCountTiles]) return;
    const Tile tile = tile_of(tiles[2 * tile_index], tiles[2 * tile_index + 1]);
    const uint last_row = tile.n_tokens * group - 1;

    uint row_position[n_rows];
    [[unroll]] for (uint r = 0; r < n_rows; r++) {
        const uint row = min(tile.first_row + r, last_row);
        const uint token = row / group;
        row_position[r] = tile.first_position + token;
        q_at[r] = ((tile.first_token + token) * push.q_stride + (kv_head * group + row % group) * head_size) / 4;
    }
    const uvec2 keys = keys_of_split(row_position[0], row_position[n_rows - 1], split);
    attend(tile, kv_head, tile_index, split, row_position, last_row, keys.x, keys.y);
}
