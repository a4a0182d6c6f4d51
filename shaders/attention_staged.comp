#version 460
// Flash attention with many query rows on cooperative matrices of any shape, whatever elements a lane holds: operands pass through
// shared memory, from where coopMatLoad takes them. For devices whose fragment map is not of a known form; where it is,
// attention_coopmat.comp needs no shared memory. See attention.comp for operands, windows and sinks.
//   S = Q K^T,  P = softmax(S),  O += P V
// A wave has frag_m query rows of a tile. K and V of 32 keys are decoded to halves once for all waves; scores and probabilities
// stay within a wave: the lanes of a row read its scores, and write its probabilities, side by side with those of other rows.
// Grid: K/V heads x tiles x splits.
#include "common.glsl"
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_KHR_shader_subgroup_vote : require
#include "kv.glsl"
#include "kv_halves.glsl"
#include "attention_tile.glsl"
#include "rounded_halves.glsl"
#include "attention_staged.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_TILES, scalar) readonly restrict buffer Tiles { uvec4 tiles[]; };
layout(binding = BIND_PAGES, scalar) readonly restrict buffer Pages { uint pages[]; };
layout(binding = BIND_Q, scalar) readonly restrict buffer Q { vec4 q[]; };
#include "y_store.glsl"
layout(binding = BIND_PARTIALS, scalar) coherent buffer Partials { float partials[]; };
layout(binding = BIND_ARRIVALS, scalar) coherent buffer Arrivals { uint arrivals[]; };

const uint kStep = 32u; // keys of a round
const uint group = n_heads / n_kv_heads;
const uint n_waves = local_size / subgroup_size;
const uint lanes_per_row = subgroup_size / frag_m;
const uint lane_keys = kStep / lanes_per_row; // of a round: at least eight
const uint n_key_fragments = head_size / frag_k;
const uint n_value_fragments = value_size / frag_n;
const uint word_dims = KV_WORD_DIMS(type_v);
const uint n_words = value_size / word_dims;
const uint value_row = is_latent != 0 ? head_size : value_size; // dimensions of a row that begins with V
const float kLog2E = 1.4426950408889634;
const float kMasked = -1e30;
const uint part_rows = frag_m, part_dims = value_size, part_lanes = subgroup_size, part_loads = 8u;
#include "attention_combine.glsl"

// Rows of shared memory, in uvec4 or floats, with padding that keeps neighbours off each other's banks.
const uint k_words = head_size / 8 + 1;
const uint v_words = value_size / 8 + 1;
const uint p_words = kStep / 8 + 1;
const uint s_floats = kStep + 4;
// V beside K where 32 KiB suffice, else after K in its place.
const uint wave_bytes = frag_m * (16 * p_words + 4 * s_floats + 4);
const uint kSharedBytes = 32768u;
const bool has_both = 16 * kStep * (k_words + v_words) + n_waves * wave_bytes <= kSharedBytes;
const uint v_at = has_both ? kStep * k_words : 0;

shared uvec4 stage[kStep * (has_both ? k_words + v_words : k_words > v_words ? k_words : v_words)];
shared uvec4 p_stage[n_waves * frag_m * p_words];
shared float s_stage[n_waves * frag_m * s_floats];
shared float row_factors[n_waves * frag_m];

#define SUMS coopmat<float, gl_ScopeSubgroup, frag_m, frag_n, gl_MatrixUseAccumulator>
coopmat<float16_t, gl_ScopeSubgroup, frag_m, frag_k, gl_MatrixUseA> queries[n_key_fragments];
SUMS acc[n_value_fragments];
SUMS element_rows; // the row of each element, as the device lays them out
float m, l;        // of the lane's row: running maximum (in powers of two), and the lane's part of the denominator

// All waves must meet it equally often, those without rows too: lavapipe lets a whole workgroup wait.
void wave_barrier() {
    subgroupMemoryBarrierShared();
    subgroupBarrier();
}

// n keys of a page from `slot` on; a thread takes a granule of a key, its neighbours those of the next keys.
void stage_keys(KvHead head, uint slot) {
    const uint n = type_k == kKvF16 ? 8 : type_k == kKvQ8_0 ? 16 : 32;
    for (uint i = gl_LocalInvocationIndex; i < kStep * (head_size / n); i += local_size) {
        const uint token = i % kStep, dim = i / kStep * n;
        f16vec2 x[16];
        kv_key_halves(type_k, kv_key(type_k, head, slot + token), page_tokens, dim, n, 0, x);
        [[unroll]] for (uint j = 0; j < n / 8; j++) {
            stage[token * k_words + dim / 8 + j] = uvec4(packFloat2x16(x[4 * j]), packFloat2x16(x[4 * j + 1]),
                                                         packFloat2x16(x[4 * j + 2]), packFloat2x16(x[4 * j + 3]));
        }
    }
}

// The same of V: a thread takes a word of four tokens, its neighbours the next words. Those from n_here on were never written.
void stage_values(KvHead head, uint slot, uint n_here) {
    for (uint i = gl_LocalInvocationIndex; i < kStep / 4 * n_words; i += local_size) {
        const uint word = i % n_words, first = i / n_words * 4;
        const KvColumn column = kv_value_column(type_v, head, page_tokens, word, is_latent != 0);
        const uvec4 words = kv_column_words(column, n_words, (slot + first) / 4, is_latent != 0);
        [[unroll]] for (uint j = 0; j < 4; j++) {
            const uint token = slot + first + j;
            f16vec2 d, minimum, x[4];
            kv_scale_halves(type_v, column.scales, token, d, minimum);
            kv_word_halves(type_v, words[j], kv_column_high(type_v, column, token), d, minimum, x);
            [[unroll]] for (uint pair = 0; pair < word_dims / 2; pair++) {
                const uint dim = word * word_dims + 2 * pair;
                stage[v_at + (first + j) * v_words + dim / 8][dim % 8 / 2] = first + j < n_here ? packFloat2x16(x[pair]) : 0;
            }
        }
    }
}

// Scores of a round, and of those the probabilities; sums of values so far are corrected for a new maximum.
void probabilities(uint position, uint base, uint end, bool is_edge) {
    const uint lane = gl_SubgroupInvocationID, row = lane % frag_m, wave_row = gl_SubgroupID * frag_m;
    // Real loops over keys, here and below: lavapipe unrolls every matrix product into scalar code, and compiles it for minutes.
    [[dont_unroll]] for (uint n = 0; n < kStep / frag_n; n++) {
        SUMS s = SUMS(0.0);
        [[unroll]] for (uint f = 0; f < n_key_fragments; f++) {
            coopmat<float16_t, gl_ScopeSubgroup, frag_k, frag_n, gl_MatrixUseB> k;
            coopMatLoad(k, stage, n * frag_n * k_words + f * frag_k / 8, k_words, gl_CooperativeMatrixLayoutColumnMajor);
            s = coopMatMulAdd(queries[f], k, s);
        }
        coopMatStore(s, s_stage, wave_row * s_floats + n * frag_n, s_floats, gl_CooperativeMatrixLayoutRowMajor);
    }
    wave_barrier();

    const uint first_key = lane / frag_m * lane_keys;
    float x[lane_keys], largest = m;
    [[unroll]] for (uint i = 0; i < lane_keys; i++) {
        x[i] = s_stage[(wave_row + row) * s_floats + first_key + i];
        if (is_edge) {
            const uint at = base + first_key + i;
            if (at > position || position - at >= push.window || at >= end) x[i] = kMasked;
        }
        largest = max(largest, x[i]);
    }
    [[unroll]] for (uint apart = frag_m; apart < subgroup_size; apart *= 2) largest = max(largest, subgroupShuffleXor(largest, apart));
    const bool is_larger = subgroupAny(largest > m);
    const float correction = exp2(m - largest);
    if (lane < frag_m) row_factors[wave_row + row] = correction;
    l *= correction;
    m = largest;
    [[unroll]] for (uint i = 0; i < lane_keys; i++) {
        // a row that sees nothing yet has m = kMasked too
        x[i] = is_edge && x[i] <= kMasked ? 0.0 : exp2(x[i] - m);
        l += x[i];
    }
    [[unroll]] for (uint i = 0; i < lane_keys; i += 8) {
        p_stage[(wave_row + row) * p_words + (first_key + i) / 8] =
            rounded_halves(vec4(x[i], x[i + 1], x[i + 2], x[i + 3]), vec4(x[i + 4], x[i + 5], x[i + 6], x[i + 7]));
    }
    wave_barrier();
    if (!is_larger) return;
    SUMS factors;
    for (uint e = 0; e < factors.length(); e++) factors[e] = row_factors[wave_row + uint(element_rows[e])];
    [[unroll]] for (uint f = 0; f < n_value_fragments; f++) acc[f] = acc[f] * factors;
}

void add_values() {
    [[dont_unroll]] for (uint k = 0; k < kStep; k += frag_k) {
        coopmat<float16_t, gl_ScopeSubgroup, frag_m, frag_k, gl_MatrixUseA> p;
        coopMatLoad(p, p_stage, gl_SubgroupID * frag_m * p_words + k / 8, p_words, gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint f = 0; f < n_value_fragments; f++) {
            coopmat<float16_t, gl_ScopeSubgroup, frag_k, frag_n, gl_MatrixUseB> v;
            coopMatLoad(v, stage, v_at + k * v_words + f * frag_n / 8, v_words, gl_CooperativeMatrixLayoutRowMajor);
            acc[f] = coopMatMulAdd(p, v, acc[f]);
        }
    }
}

uint q_at(Tile tile, uint kv_head, uint row, uint stride, uint size) {
    return (tile.first_token + row / group) * stride + (kv_head * group + row % group) * size;
}

void load_queries(Tile tile, uint kv_head, uint first_row, uint last_row) {
    const uint wave_row = gl_SubgroupID * frag_m;
    [[unroll]] for (uint f = 0; f < n_key_fragments; f++) {
        for (uint i = gl_SubgroupInvocationID; i < frag_m * frag_k / 8; i += subgroup_size) {
            const uint row = i / (frag_k / 8), dim = i % (frag_k / 8) * 8;
            const uint from = (q_at(tile, kv_head, min(first_row + row, last_row), push.q_stride, head_size) + f * frag_k + dim) / 4;
            const vec4 lo = q[from] * (push.scale * kLog2E), hi = q[from + 1] * (push.scale * kLog2E);
            p_stage[(wave_row + row) * p_words + dim / 8] =
                rounded_halves(lo, hi);
        }
        wave_barrier();
        coopMatLoad(queries[f], p_stage, wave_row * p_words, p_words, gl_CooperativeMatrixLayoutRowMajor);
        wave_barrier();
    }
    for (uint i = gl_SubgroupInvocationID; i < frag_m * frag_n; i += subgroup_size)
        s_stage[(wave_row + i / frag_n) * s_floats + i % frag_n] = float(i / frag_n);
    wave_barrier();
    coopMatLoad(element_rows, s_stage, wave_row * s_floats, s_floats, gl_CooperativeMatrixLayoutRowMajor);
    wave_barrier();
}

void main() {
    const uint kv_head = gl_WorkGroupID.x;
    const uint tile_index = gl_WorkGroupID.y;
    const uint split = gl_WorkGroupID.z;
    if (tile_index >= counts[kCountTiles]) return;
    const Tile tile = tile_of(tiles[2 * tile_index], tiles[2 * tile_index + 1]);
    const uint last_row = tile.n_tokens * group - 1;
    const uint first_row = tile.first_row + gl_SubgroupID * frag_m; // of the wave, which may have none
    const uint lane_row = first_row + gl_SubgroupInvocationID % frag_m;
    const uint position = tile.first_position + min(lane_row, last_row) / group;
    const uint first_position = tile.first_position + min(first_row, last_row) / group;
    const uint last_position = tile.first_position + min(first_row + frag_m - 1, last_row) / group;
    load_queries(tile, kv_head, first_row, last_row);
    m = kMasked;
    l = 0.0;
    [[unroll]] for (uint f = 0; f < n_value_fragments; f++) acc[f] = SUMS(0.0);

    const uint tile_first = tile.first_position + tile.first_row / group;
    const uint first_page = (tile_first - min(tile_first, push.window - 1u)) / page_tokens;
    const uint tile_last = tile.first_position + min(tile.first_row + n_rows - 1, last_row) / group;
    const uint n_pages = tile_last / page_tokens + 1;
    const uint pages_per_split = (n_pages - first_page + n_splits - 1) / n_splits;
    const uint begin = (first_page + split * pages_per_split) * page_tokens;
    const uint end = min(tile_last + 1, begin + pages_per_split * page_tokens);
    for (uint base = begin; base < end; base += kStep) {
        const uint page = pages[tile.sequence * max_pages + base / page_tokens], slot = base % page_tokens;
        const KvHead k_head = kv_head_of(type_k, push.k_pool, page, n_kv_heads, page_tokens, head_size, kv_head);
        const KvHead v_head = kv_head_of(type_v, push.v_pool, page, n_kv_heads, page_tokens, value_row, kv_head);
        const bool is_edge = base + kStep - 1 > first_position || last_position - min(base, last_position) >= push.window;
        barrier(); // nobody reads the last round's any more
        stage_keys(k_head, slot);
        if (has_both) stage_values(v_head, slot, end - base);
        barrier();
        probabilities(position, base, end, is_edge);
        if (!has_both) {
            barrier();
            stage_values(v_head, slot, end - base);
            barrier();
        }
        add_values();
    }

    float total = l;
    [[unroll]] for (uint apart = frag_m; apart < subgroup_size; apart *= 2) total += subgroupShuffleXor(total, apart);
    float factor = 1.0;
    const uint wave_row = gl_SubgroupID * frag_m;
    const uint part = part_index(tile_index, kv_head, gl_SubgroupID);
    if (is_split != 0) { // the last split adds the sink and divides
        if (gl_SubgroupInvocationID < frag_m && lane_row <= last_row) {
            const uint to = partial_row(part, split, gl_SubgroupInvocationID) + part_dims;
            partials[to] = m;
            partials[to + 1] = total;
        }
    } else {
        if (has_sinks != 0) {
            const float sink = AddrF32(push.sinks).v[kv_head * group + min(lane_row, last_row) % group] * kLog2E;
            const float largest = max(m, sink);
            factor = exp2(m - largest);
            total = total * factor + exp2(sink - largest);
        }
        factor /= total;
    }
    wave_barrier();
    if (gl_SubgroupInvocationID < frag_m) row_factors[wave_row + gl_SubgroupInvocationID] = factor;
    [[unroll]] for (uint f = 0; f < n_value_fragments; f++) {
        wave_barrier();
        coopMatStore(acc[f], s_stage, wave_row * s_floats, s_floats, gl_CooperativeMatrixLayoutRowMajor);
        wave_barrier();
        for (uint i = gl_SubgroupInvocationID; i < frag_m * frag_n; i += subgroup_size) {
            const uint row = i / frag_n, dim = f * frag_n + i % frag_n;
            if (first_row + row > last_row) continue;
            const float value = s_stage[(wave_row + row) * s_floats + i % frag_n] * row_factors[wave_row + row];
            if (is_split != 0) {
                partials[partial_row(part, split, row) + dim] = value;
            } else {
                store_y(q_at(tile, kv_head, first_row + row, push.y_stride, value_size) + dim, value);
            }
        }
    }
    if (is_split != 0 && first_row <= last_row)
        combine_splits(part, tile, kv_head, first_row, min(part_rows, last_row + 1 - first_row), 0);
}
