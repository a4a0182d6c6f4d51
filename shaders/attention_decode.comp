#version 460
// A step with one token of each sequence, from qkv to attended values in one dispatch: what rope_store.comp and attention.comp do.
//   qkv: (n_tokens, row_stride) f32, heads in order Q, K, V (none if latent: V is the front of K); Y: (n_tokens, y_stride) f32; K, V: paged (kv.glsl)
// A tile is some of the query heads of one token that share a K/V head. Every workgroup normalises and rotates its own queries
// and keeps them in shared memory; the one whose split ends with the new token first stores that token's K and V. (Tiles of one
// K/V head, if a group is larger than a tile, store the same bytes.)
// Grid: K/V heads x tiles x splits. The loop is in include/attention_rows.glsl.
#include "common.glsl"
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "kv.glsl"
#include "attention_tile.glsl"
#include "attention_decode.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_TILES, scalar) readonly restrict buffer Tiles { uvec4 tiles[]; };
layout(binding = BIND_PAGES, scalar) readonly restrict buffer Pages { uint pages[]; };
layout(binding = BIND_TABLE, scalar) readonly restrict buffer Table { vec2 table[]; };
layout(binding = BIND_QKV, scalar) readonly restrict buffer Qkv { float qkv[]; };
layout(binding = BIND_Y, scalar) writeonly restrict buffer Y { float y[]; };
void store_y(uint at, float value) { y[at] = value; }
void store_y_pair(uint at, uint constant, float first, float second) {
    y[at + constant] = first;
    y[at + constant + 1u] = second;
}
layout(binding = BIND_PARTIALS, scalar) coherent buffer Partials { float partials[]; };
layout(binding = BIND_ARRIVALS, scalar) coherent buffer Arrivals { uint arrivals[]; };

const uint n_held = (n_rows + 1u) * head_size + value_size; // the queries, then K, then V
#include "rope.glsl"
#include "kv_store.glsl"
#include "attention_rows.glsl"

vec4 query(uint row, uint i) {
    const uint at = row * head_size + 4u * i;
    return vec4(head[at], head[at + 1u], head[at + 2u], head[at + 3u]);
}

void main() {
    const uint kv_head = gl_WorkGroupID.x;
    const uint tile_index = gl_WorkGroupID.y;
    const uint split = gl_WorkGroupID.z;
    if (tile_index >= counts[kCountTiles]) return;
    const Tile tile = tile_of(tiles[2 * tile_index], tiles[2 * tile_index + 1]);
    const uint token = tile.first_token, position = tile.first_position;
    const uvec2 keys = keys_of_split(position, position, split);
    const bool has_new = keys.x <= position && position < keys.y;

    const uint k_at = n_rows * head_size, v_at = k_at + head_size;
    const uint from = token * push.row_stride;
    [[dont_unroll]] for (uint r = 0; r < n_rows; r++) {
        const uint row = min(tile.first_row + r, group - 1u);
        take_head(from + (kv_head * group + row) * head_size, r * head_size, head_size, push.q_norm, push.eps, true);
    }
    if (has_new) {
        take_head(from + (n_heads + kv_head) * head_size, k_at, head_size, push.k_norm, push.eps, true);
        if (is_latent == 0) {
            const uint values = from + (n_heads + n_kv_heads) * head_size;
            take_head(values + kv_head * value_size, v_at, value_size, 0, push.eps, false);
        }
    }
    subgroupMemoryBarrierShared();
    subgroupBarrier();
    [[dont_unroll]] for (uint r = 0; r < n_rows; r++) rotate_head(r * head_size, token);
    if (has_new) rotate_head(k_at, token);
    subgroupMemoryBarrierShared();
    subgroupBarrier();
    mix_heads((has_new ? n_rows + 1u : n_rows) * head_size);
    if (has_new) {
        const uint page = pages[tile.sequence * max_pages + position / page_tokens];
        store(type_k, false, push.k_pool, page, kv_head, position % page_tokens, k_at, head_size);
        if (is_latent == 0) store(type_v, true, push.v_pool, page, kv_head, position % page_tokens, v_at, value_size);
        subgroupMemoryBarrierBuffer();
    }
    subgroupBarrier(); // what a lane stored, others load

    uint row_position[n_rows];
    [[unroll]] for (uint r = 0; r < n_rows; r++) row_position[r] = position;
    attend(tile, kv_head, tile_index, split, row_position, group - 1u, keys.x, keys.y);
}
