#version 460
// Flash attention on cooperative matrices for devices whose fragment map is known (kernels::FragmentMap): the transposed form
//   S^T = K Q^T,  P = softmax(S),  O^T += V^T P^T
// in which a lane keeps one query, so that maxima, sums and corrections are scalars of the lane and P goes from accumulator to
// operand inside the registers. K and V are decoded from the cache straight into fragments; nothing passes through shared
// memory and, unless in a team, no wave waits for another. See attention.comp for operands, windows and sinks.
// A wave has one or two sets of 16 query rows of a tile and walks over its keys 32 at a time; grid: K/V heads x tiles x splits.
// Two sets share every decoded fragment of K and V; their queries may wait in shared memory, each wave's for itself. Large heads
// are shared by a team of waves with the same rows, each with a part of K's and of V's dimensions: they add up their parts of the
// scores through shared memory, 16 floats a lane for 32 keys and one barrier, and all know the probabilities.
//
// Order of dimensions in K and Q fragments is free as long as both agree; so is which dimension a row of O^T stands for. Both
// are chosen such that a lane loads 16 bytes of consecutive cache at a time:
//   K, lane group h, fragment f, element e: dimension (f / F * k_groups + h) * F * E + f % F * E + e,  F = key_fragments
//   V, row r of fragment (set, j): dimension (r / w) * d + j of word set * 16 + r % w,  w = set_words, d = set_dims
// Rows are counted such that a lane's sums are of eight consecutive ones (operand_row), keys of S^T as well as words of O^T.
#include "common.glsl"
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_KHR_shader_subgroup_vote : require
#include "kv.glsl"
#include "kv_halves.glsl"
#include "attention_tile.glsl"
#include "attention_coopmat.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_TILES, scalar) readonly restrict buffer Tiles { uvec4 tiles[]; };
layout(binding = BIND_PAGES, scalar) readonly restrict buffer Pages { uint pages[]; };
layout(binding = BIND_Q, scalar) readonly restrict buffer Q { vec4 q[]; };
#include "y_store.glsl"
layout(binding = BIND_PARTIALS, scalar) coherent buffer Partials { float partials[]; };
layout(binding = BIND_ARRIVALS, scalar) coherent buffer Arrivals { uint arrivals[]; };

const uint kStep = 32u;     // keys of a round
const uint kFragment = 16u; // rows and columns of a fragment
const uint n_each = kFragment / k_groups; // elements of an operand fragment per lane
const uint group = n_heads / n_kv_heads;
const uint key_dims = head_size / team; // of a wave
const uint n_key_fragments = key_dims / kFragment;
const uint word_dims = KV_WORD_DIMS(type_v);
const uint n_words = value_size / word_dims / team; // of a wave
const uint value_row = is_latent != 0 ? head_size : value_size; // dimensions of a row that begins with V
// Words of V in a set of fragments: as many as rows, or a part of them that shares the words' dimensions among the rows.
const uint set_words = kFragment % n_words == 0 ? n_words : kFragment; // 16 % n > 0 for n > 16
const uint set_dims = word_dims * set_words / kFragment;          // fragments of a set
const uint n_sets = (n_words + kFragment - 1) / kFragment;
const uint n_value_fragments = n_sets * set_dims;
const float kLog2E = 1.4426950408889634;
const float kMasked = -1e30;
const uint part_rows = row_sets * kFragment, part_dims = value_size / team, part_lanes = 32u, n_waves = local_size / 32u;
const uint part_loads = 16u;
#include "attention_combine.glsl"

#define OPERAND(use) coopmat<float16_t, gl_ScopeSubgroup, 16, 16, use>
#define SUMS coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator>

OPERAND(gl_MatrixUseB) queries[queries_shared != 0 ? 1 : row_sets * n_key_fragments];
SUMS s[2 * row_sets];                  // scores of a round
SUMS acc[row_sets * n_value_fragments];
float m[row_sets], l[row_sets]; // running maximum (in powers of two) and this lane's part of the denominator
uint position[row_sets];        // of the lane's queries
uint lane_group, lane_row;
uint member; // of the team

// Queries that wait in shared memory: [wave][set][fragment][four elements][lane], what lanes hold twice but once.
const uint query_words = n_each / 4;
const uint query_lanes = kFragment * k_groups;
shared uvec2 shared_queries[queries_shared != 0 ? local_size / 32 * row_sets * n_key_fragments * query_words * query_lanes : 1];

const uint kSumWords = 4u; // of vec4 a lane: the scores of a round
shared vec4 part_sums[team > 1 ? 2 * kSumWords * local_size : 1];

uint operand_group() { return k_groups > 1 ? lane_group : 0; }
uint key_dim(uint fragment) {
    return (fragment / key_fragments * k_groups + operand_group()) * key_fragments * n_each + fragment % key_fragments * n_each;
}
// The row that a lane loads of an operand, and that element i of its sums belongs to.
uint operand_row() { return rows_apart != 0 ? lane_row % 2 * 8 + lane_row / 2 : lane_row; }
uint sum_row(uint i) { return 8 * lane_group + i; }

uint shared_query(uint set, uint f) {
    return ((gl_SubgroupID * row_sets + set) * n_key_fragments + f) * query_words * query_lanes + operand_group() * kFragment + lane_row;
}
OPERAND(gl_MatrixUseB) query(uint set, uint f) {
    if (queries_shared == 0) return queries[set * n_key_fragments + f];
    OPERAND(gl_MatrixUseB) x;
    [[unroll]] for (uint w = 0; w < query_words; w++) {
        const uvec2 four = shared_queries[shared_query(set, f) + w * query_lanes];
        const f16vec2 a = unpackFloat2x16(four.x), b = unpackFloat2x16(four.y);
        x[4 * w] = a.x;
        x[4 * w + 1] = a.y;
        x[4 * w + 2] = b.x;
        x[4 * w + 3] = b.y;
    }
    return x;
}

// Scores of the fragments of keys first_u .. last_u - 1.
void scores(KvHead head, uint token, uint first_u, uint last_u) {
    // The addresses begin at the lane's part of the key; what is left are constants. A load is a granule or less, of
    // lane groups side by side: the two parts of a dimension's place add up.
    const uint lane_dims = operand_group() * key_fragments * n_each;
    // A team's part of K may begin within a block: what is left of it stays with the constants.
    const uint first_dim = member * key_dims;
    const uint block_rest = kv_is_quantised(type_k) && key_dims % 32 != 0 ? first_dim % 32 : 0;
    KvHead keys[2];
    [[unroll]] for (uint u = first_u; u < last_u; u++) {
        KvHead key = kv_key(type_k, head, token + u * kFragment + operand_row());
        key.codes += kv_key_words(type_k, page_tokens, lane_dims);
        if (team > 1) { // whole granules; whole blocks where there are any
            key.codes += kv_key_words(type_k, page_tokens, first_dim - block_rest);
            key.scales += kv_key_scales(type_k, page_tokens, first_dim - block_rest);
            key.highs += kv_key_highs(page_tokens, first_dim - block_rest);
        }
        key.scales += kv_key_scales(type_k, page_tokens, lane_dims);
        key.highs += kv_key_highs(page_tokens, lane_dims);
        keys[u] = key;
        [[unroll]] for (uint set = 0; set < row_sets; set++) s[u * row_sets + set] = SUMS(0.0);
    }
    [[unroll]] for (uint f = 0; f < n_key_fragments; f += key_fragments) {
        OPERAND(gl_MatrixUseA) a[2 * key_fragments];
        [[unroll]] for (uint u = first_u; u < last_u; u++) {
            f16vec2 k[16]; // key_fragments * n_each / 2 of them
            const uint dim = block_rest + f * k_groups * n_each;
            kv_key_halves(type_k, keys[u], page_tokens, dim, key_fragments * n_each, lane_dims % 32, k);
            [[unroll]] for (uint ff = 0; ff < key_fragments; ff++) {
                [[unroll]] for (uint e = 0; e < n_each; e += 2) {
                    a[u * key_fragments + ff][e] = k[(ff * n_each + e) / 2].x;
                    a[u * key_fragments + ff][e + 1] = k[(ff * n_each + e) / 2].y;
                }
            }
        }
        [[unroll]] for (uint ff = 0; ff < key_fragments; ff++) {
            [[unroll]] for (uint set = 0; set < row_sets; set++) {
                const OPERAND(gl_MatrixUseB) q = query(set, f + ff);
                [[unroll]] for (uint u = first_u; u < last_u; u++)
                    s[u * row_sets + set] = coopMatMulAdd(a[u * key_fragments + ff], q, s[u * row_sets + set]);
            }
        }
    }
}

void add_values(KvHead head, uint token, uint n_here, bool is_edge, OPERAND(gl_MatrixUseB) p[row_sets]) {
    [[unroll]] for (uint words_at = 0; words_at < n_sets; words_at++) {
        // rows beyond are not stored
        const uint word = member * n_words + min(words_at * kFragment + operand_row() % set_words, n_words - 1);
        const uint lane_token = rows_apart != 0 ? 0 : n_each * lane_group; // rows_apart takes all sixteen tokens
        KvColumn column = kv_value_column(type_v, head, page_tokens, word, is_latent != 0);
        column.codes += is_latent != 0 ? (token + lane_token) * 16 : (token + lane_token) / 4 * n_words * team * 16;
        column.highs += (token + lane_token) * 4;
        column.scales += (token + lane_token) * kv_scale_unit(type_v);
        uint words[16], highs[16];
        f16vec2 d[8], dm[8];
        [[unroll]] for (uint e = 0; e < n_each; e += 4) {
            const uvec4 w = kv_column_words(column, n_words * team, e / 4, is_latent != 0);
            const uvec4 h = kv_has_high_bits(type_v) ? AddrU32x4(column.highs).v[e / 4] >> column.high_shift : uvec4(0);
            [[unroll]] for (uint j = 0; j < 4; j++) {
                words[e + j] = w[j];
                highs[e + j] = h[j];
            }
        }
        kv_column_scales(type_v, column, 0, n_each, d, dm);
        [[unroll]] for (uint j = 0; j < set_dims; j++) {
            OPERAND(gl_MatrixUseA) v;
            [[unroll]] for (uint e = 0; e < n_each; e += 2) {
                f16vec2 pair;
                if (set_words == kFragment) {
                    pair = kv_pair_halves(type_v, j, words[e], words[e + 1], highs[e], highs[e + 1], d[e / 2], dm[e / 2]);
                } else { // rows beyond set_words take the upper dimensions of the word
                    const uint shift = operand_row() / set_words * set_dims;
                    pair = kv_pair_halves_at(type_v, j + shift, words[e], words[e + 1], highs[e], highs[e + 1], d[e / 2], dm[e / 2]);
                }
                if (is_edge) { // never written: not even times zero
                    pair = f16vec2(lane_token + e < n_here ? pair.x : 0.0hf, lane_token + e + 1 < n_here ? pair.y : 0.0hf);
                }
                v[e] = pair.x;
                v[e + 1] = pair.y;
            }
            [[unroll]] for (uint set = 0; set < row_sets; set++) {
                const uint to = set * n_value_fragments + words_at * set_dims + j;
                acc[to] = coopMatMulAdd(v, p[set], acc[to]);
            }
        }
    }
}

// The team's sums of its members' parts of the scores. Rounds alternate between two buffers, so that one barrier is enough.
void add_parts(uint buffer_index) {
    const uint lane = gl_SubgroupInvocationID, first_wave = gl_SubgroupID - member;
    const uint buffer_at = buffer_index * kSumWords * local_size;
    [[unroll]] for (uint w = 0; w < kSumWords; w++) {
        const vec4 own = vec4(s[w / 2][w % 2 * 4], s[w / 2][w % 2 * 4 + 1], s[w / 2][w % 2 * 4 + 2], s[w / 2][w % 2 * 4 + 3]);
        part_sums[buffer_at + (gl_SubgroupID * kSumWords + w) * 32 + lane] = own;
    }
    barrier();
    [[unroll]] for (uint other = 1; other < team; other++) {
        const uint wave = first_wave + (member + other) % team;
        [[unroll]] for (uint w = 0; w < kSumWords; w++) {
            const vec4 part = part_sums[buffer_at + (wave * kSumWords + w) * 32 + lane];
            [[unroll]] for (uint j = 0; j < 4; j++) s[w / 2][w % 2 * 4 + j] += part[j];
        }
    }
}

// Keys base .. base + kStep - 1 of a page; those from `end` on do not exist. A team's scores are there already.
void round_of(KvHead k_head, KvHead v_head, uint base, uint end, bool is_edge) {
    const uint slot = base % page_tokens;
    float largest[row_sets];
    [[unroll]] for (uint set = 0; set < row_sets; set++) largest[set] = m[set];
    if (team == 1 && queries_shared != 0) scores(k_head, slot, 0, 2); // both at once: queries are loaded once
    [[unroll]] for (uint u = 0; u < 2; u++) {
        if (team == 1 && queries_shared == 0) scores(k_head, slot, u, u + 1); // here: fewer moves on RDNA3 than before the branch
        [[unroll]] for (uint set = 0; set < row_sets; set++) {
            [[unroll]] for (uint i = 0; i < 8; i++) {
                const uint x = u * row_sets + set;
                if (is_edge) {
                    const uint at = base + u * kFragment + sum_row(i);
                    const bool is_visible = at <= position[set] && position[set] - at < push.window && at < end;
                    s[x][i] = is_visible ? s[x][i] : kMasked;
                }
                largest[set] = max(largest[set], s[x][i]);
            }
        }
    }
    bool grows = false;
    [[unroll]] for (uint set = 0; set < row_sets; set++) {
        largest[set] = max(largest[set], subgroupShuffleXor(largest[set], 16));
        grows = grows || largest[set] > m[set];
    }
    if (subgroupAny(grows)) {
        [[unroll]] for (uint set = 0; set < row_sets; set++) {
            const float correction = exp2(m[set] - largest[set]);
            l[set] *= correction;
            m[set] = largest[set];
            [[unroll]] for (uint f = 0; f < n_value_fragments; f++) {
                [[unroll]] for (uint i = 0; i < 8; i++) acc[set * n_value_fragments + f][i] *= correction;
            }
        }
    }
    [[unroll]] for (uint u = 0; u < 2; u++) {
        OPERAND(gl_MatrixUseB) p[row_sets];
        [[unroll]] for (uint set = 0; set < row_sets; set++) {
            const uint x = u * row_sets + set;
            [[unroll]] for (uint i = 0; i < 8; i += 2) {
                float a = exp2(s[x][i] - m[set]), b = exp2(s[x][i + 1] - m[set]);
                if (is_edge) { // a row that sees nothing yet has m = kMasked too
                    a = s[x][i] > kMasked ? a : 0.0;
                    b = s[x][i + 1] > kMasked ? b : 0.0;
                }
                l[set] += a + b;
                const f16vec2 own = f16vec2(a, b);
                if (rows_apart != 0) { // the lane groups hold keys 0 to 7 and 8 to 15; each lane needs all of them
                    const f16vec2 other = unpackFloat2x16(subgroupShuffleXor(packFloat2x16(own), 16));
                    const f16vec2 lower = lane_group == 0 ? own : other, upper = lane_group == 0 ? other : own;
                    p[set][i] = lower.x;
                    p[set][i + 1] = lower.y;
                    p[set][8 + i] = upper.x;
                    p[set][8 + i + 1] = upper.y;
                } else {
                    p[set][i] = own.x;
                    p[set][i + 1] = own.y;
                }
            }
        }
        if (!is_edge || base + u * kFragment < end) {
            const uint n_here = is_edge ? min(kFragment, end - (base + u * kFragment)) : kFragment;
            add_values(v_head, slot + u * kFragment, n_here, is_edge, p);
        }
    }
}

// A row of the tile, the lane's of a set.
void store(Tile tile, uint kv_head, uint part, uint set, uint row, float total) {
    float factor = 1.0;
    uint to;
    if (is_split != 0) { // the last split adds the sink and divides
        to = partial_row(part, gl_WorkGroupID.z, set * kFragment + lane_row);
        if (lane_group == 0) {
            partials[to + part_dims] = m[set];
            partials[to + part_dims + 1] = total;
        }
    } else {
        if (has_sinks != 0) {
            const float sink = AddrF32(push.sinks).v[kv_head * group + row % group] * kLog2E;
            const float largest = max(m[set], sink);
            factor = exp2(m[set] - largest);
            total = total * factor + exp2(sink - largest);
        }
        factor /= total;
        to = (tile.first_token + row / group) * push.y_stride + (kv_head * group + row % group) * value_size + member * part_dims;
    }
    // A lane's dimensions are its first and constants, so that the compiler sees which stores go together.
    const uint first_word = set_words == kFragment ? sum_row(0) : 0;
    to += first_word * word_dims + (set_words == kFragment ? 0 : lane_group * (8 / set_words) * set_dims);
    [[unroll]] for (uint words_at = 0; words_at < n_sets; words_at++) {
        [[unroll]] for (uint j = 0; j < set_dims; j++) {
            [[unroll]] for (uint i = 0; i < 8; i++) {
                const uint word = words_at * kFragment + (set_words == kFragment ? i : i % set_words);
                if (n_words % set_words != 0 && first_word + word >= n_words) continue;
                const uint dim = word * word_dims + (set_words == kFragment ? 0 : i / set_words * set_dims) + j;
                const uint f = set * n_value_fragments + words_at * set_dims + j;
                if (is_split != 0) {
                    partials[to + dim] = acc[f][i] * factor;
                } else if (set_dims % 2 != 0) {
                    store_y(to + dim, acc[f][i] * factor);
                } else if (j % 2 == 0) {
                    store_y_pair(to, dim, acc[f][i] * factor, acc[f + 1][i] * factor);
                }
            }
        }
    }
}

void main() {
    const uint kv_head = gl_WorkGroupID.x;
    const uint tile_index = gl_WorkGroupID.y;
    const uint split = gl_WorkGroupID.z;
    if (tile_index >= counts[kCountTiles]) return;
    const Tile tile = tile_of(tiles[2 * tile_index], tiles[2 * tile_index + 1]);
    const uint last_row = tile.n_tokens * group - 1;
    const uint wave_row = tile.first_row + gl_SubgroupID / team * (row_sets * kFragment);
    if (team == 1 && wave_row > last_row) return; // else it must meet the barriers
    member = gl_SubgroupID % team;
    lane_row = gl_SubgroupInvocationID % kFragment;
    lane_group = gl_SubgroupInvocationID / kFragment;

    const uint first_position = tile.first_position + min(wave_row, last_row) / group; // of the wave's rows
    const uint last_position = tile.first_position + min(wave_row + row_sets * kFragment - 1, last_row) / group;
    [[unroll]] for (uint set = 0; set < row_sets; set++) {
        const uint row = min(wave_row + set * kFragment + lane_row, last_row);
        const uint token = row / group;
        position[set] = tile.first_position + token;
        const uint from = ((tile.first_token + token) * push.q_stride + (kv_head * group + row % group) * head_size +
                           member * key_dims) / 4;
        [[unroll]] for (uint f = 0; f < n_key_fragments; f++) {
            const uint dim = key_dim(f);
            [[unroll]] for (uint e = 0; e < n_each; e += 4) {
                const vec4 x = q[from + (dim + e) / 4] * (push.scale * kLog2E);
                if (queries_shared != 0) { // what another lane stores too is the same
                    shared_queries[shared_query(set, f) + e / 4 * query_lanes] =
                        uvec2(packFloat2x16(f16vec2(x.xy)), packFloat2x16(f16vec2(x.zw)));
                    continue;
                }
                queries[set * n_key_fragments + f][e] = float16_t(x.x);
                queries[set * n_key_fragments + f][e + 1] = float16_t(x.y);
                queries[set * n_key_fragments + f][e + 2] = float16_t(x.z);
                queries[set * n_key_fragments + f][e + 3] = float16_t(x.w);
            }
        }
        m[set] = kMasked;
        l[set] = 0.0;
    }
    if (queries_shared != 0) subgroupBarrier();
    [[unroll]] for (uint f = 0; f < row_sets * n_value_fragments; f++) acc[f] = SUMS(0.0);

    // The same share of pages for all waves of a tile, from the first key that its first row sees to the last of its last row.
    const uint tile_first = tile.first_position + tile.first_row / group;
    const uint first_page = (tile_first - min(tile_first, push.window - 1u)) / page_tokens;
    const uint tile_last = tile.first_position + min(tile.first_row + n_rows - 1, last_row) / group;
    const uint n_pages = tile_last / page_tokens + 1;
    const uint pages_per_split = (n_pages - first_page + n_splits - 1) / n_splits;
    const uint begin = (first_page + split * pages_per_split) * page_tokens;
    // A team's waves make the same rounds, and so do all teams, for the barriers' sake.
    const uint end = min((team > 1 ? tile_last : last_position) + 1, begin + pages_per_split * page_tokens);
    for (uint base = begin; base < end; base += kStep) {
        const uint page = pages[tile.sequence * max_pages + base / page_tokens];
        const KvHead k_head = kv_head_of(type_k, push.k_pool, page, n_kv_heads, page_tokens, head_size, kv_head);
        const KvHead v_head = kv_head_of(type_v, push.v_pool, page, n_kv_heads, page_tokens, value_row, kv_head);
        if (team > 1) {
            [[unroll]] for (uint u = 0; u < 2; u++) scores(k_head, base % page_tokens, u, u + 1);
            add_parts(base / kStep % 2);
            if (base > last_position) continue;
        }
        if (base + kStep - 1 <= first_position && last_position - base < push.window) {
            round_of(k_head, v_head, base, end, false);
        } else {
            round_of(k_head, v_head, base, end, true);
        }
    }

    const uint part = part_index(tile_index, kv_head, gl_SubgroupID);
    [[unroll]] for (uint set = 0; set < row_sets; set++) {
        const float total = l[set] + subgroupShuffleXor(l[set], 16);
        const uint row = wave_row + set * kFragment + lane_row;
        if (row <= last_row) store(tile, kv_head, part, set, row, total);
    }
    if (is_split != 0 && wave_row <= last_row)
        combine_splits(part, tile, kv_head, wave_row, min(part_rows, last_row + 1 - wave_row), member * part_dims);
}
