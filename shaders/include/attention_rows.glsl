// Attention of a tile's query rows over a stretch of the paged cache, one subgroup a workgroup, for attention.comp and
// attention_decode.comp. Scores: a lane owns a K row and multiplies it with query rows that are the same for all lanes.
// Values: a lane owns words of V, each a few head dimensions; probabilities come from the lanes by broadcast.
// With is_split the splits' sums, maxima and denominators meet in include/attention_combine.glsl.
// The includer declares the constants, push.{k_pool, v_pool, sinks, scale, window, y_stride}, the buffers pages, y, partials and arrivals,
// and query(): elements 4i .. 4i + 3 of a row's query.
vec4 query(uint row, uint i);

const uint part_rows = n_rows, part_dims = value_size, part_lanes = local_size, n_waves = 1u, part_loads = 8u;
#include "attention_combine.glsl"
const uint group = n_heads / n_kv_heads;
// A word of V holds word_dims dimensions of a token. With fewer words than lanes, lanes share a word's column by tokens.
const uint word_dims = KV_WORD_DIMS(type_v);
const uint n_words = value_size / word_dims;
const uint value_row = is_latent != 0 ? head_size : value_size; // dimensions of a row that begins with V
const uint words_per_lane = (n_words + local_size - 1) / local_size;
const uint n_sharers = local_size < 2 * n_words ? 1u : local_size < 4 * n_words ? 2u : local_size < 8 * n_words ? 4u : 8u;
const uint granule_dims = KV_GRANULE_DIMS(type_k);
const uint dims_per_lane = words_per_lane * word_dims;
const float kLog2E = 1.4426950408889634;
const float kMasked = -1e30;

float acc[n_rows * dims_per_lane];

void add_value(uint i, uint word, uint high, vec2 scale, float p[n_rows]) {
    float v[8];
    kv_decode_word(type_v, word, high, scale, v);
    [[unroll]] for (uint r = 0; r < n_rows; r++) {
        [[unroll]] for (uint j = 0; j < word_dims; j++) {
            const uint to = r * dims_per_lane + i * word_dims + j;
            acc[to] = fma(p[r], v[j], acc[to]);
        }
    }
}

// Adds the values of n_here tokens from `slot` of a page on; s: the probabilities, of token `lane` for each row.
void add_values(KvHead head, uint slot, uint n_here, float s[n_rows]) {
    const uint lane = gl_SubgroupInvocationID;
    const uint sharer = lane / n_words;
    const uint n_each = local_size / n_sharers; // tokens of a sharer
    const uint first = n_sharers > 1 ? min(sharer, n_sharers - 1) * n_each : 0u;
    const uint last = min(n_here, first + n_each);
    // rows beyond n_here were never written: not even times zero
    const uint n_steps = n_sharers > 1 ? n_each : last;
    for (uint step = 0; step < n_steps; step += 4) {
        const uint t = first + step;
        float p[4 * n_rows];
        [[unroll]] for (uint j = 0; j < 4; j++) {
            [[unroll]] for (uint r = 0; r < n_rows; r++) {
                if (n_sharers > 1) {
                    p[j * n_rows + r] = subgroupShuffle(s[r], t + j);
                } else {
                    p[j * n_rows + r] = subgroupBroadcast(s[r], min(t + j, local_size - 1));
                }
            }
        }
        [[unroll]] for (uint i = 0; i < words_per_lane; i++) {
            // lanes beyond the last word repeat it and do not store
            const uint word = n_sharers > 1 ? lane % n_words : min(lane + i * local_size, n_words - 1);
            const KvColumn column = kv_value_column(type_v, head, page_tokens, word, is_latent != 0);
            const uint quad = (slot + t) / 4;
            const uvec4 words = kv_column_words(column, n_words, quad, is_latent != 0);
            const uvec4 highs = kv_column_highs4(type_v, column, quad);
            vec2 scales[4];
            kv_column_scales4(type_v, column, quad, scales);
            [[unroll]] for (uint j = 0; j < 4; j++) {
                float row_p[n_rows];
                [[unroll]] for (uint r = 0; r < n_rows; r++) row_p[r] = p[j * n_rows + r];
                if (t + j < last) add_value(i, words[j], highs[j], scales[j], row_p);
            }
        }
    }
}

// Keys of a split: the splits share the pages from the first that the tile's first row sees to the last that its last row sees.
uvec2 keys_of_split(uint first_position, uint last_position, uint split) {
    const uint n_kv = last_position + 1;
    const uint first_page = (first_position - min(first_position, push.window - 1u)) / page_tokens;
    const uint n_pages = (n_kv + page_tokens - 1) / page_tokens;
    const uint pages_per_split = (n_pages - first_page + n_splits - 1) / n_splits;
    const uint begin = (first_page + split * pages_per_split) * page_tokens;
    return uvec2(begin, min(n_kv, begin + pages_per_split * page_tokens));
}

// s[r] += query r . K over the next eight dimensions of a granule, which are d ..
void add_scores(inout KvGranule g, uint d, inout float s[n_rows]) {
    float x[8];
    kv_take8(type_k, g, x);
    [[unroll]] for (uint r = 0; r < n_rows; r++) {
        const vec4 qa = query(r, d / 4), qb = query(r, d / 4 + 1);
        s[r] = fma(x[0], qa.x, fma(x[1], qa.y, fma(x[2], qa.z, fma(x[3], qa.w, s[r]))));
        s[r] = fma(x[4], qb.x, fma(x[5], qb.y, fma(x[6], qb.z, fma(x[7], qb.w, s[r]))));
    }
}

void attend(Tile tile, uint kv_head, uint tile_index, uint split, uint row_position[n_rows], uint last_row, uint begin, uint end) {
    const uint lane = gl_SubgroupInvocationID;
    float m[n_rows], l[n_rows];
    [[unroll]] for (uint r = 0; r < n_rows; r++) {
        m[r] = kMasked;
        l[r] = 0.0;
    }
    [[unroll]] for (uint i = 0; i < n_rows * dims_per_lane; i++) acc[i] = 0.0;

    for (uint base = begin; base < end; base += local_size) {
        const uint page = pages[tile.sequence * max_pages + base / page_tokens];
        const uint slot = base % page_tokens;
        const KvHead k_head = kv_head_of(type_k, push.k_pool, page, n_kv_heads, page_tokens, head_size, kv_head);
        const KvHead k = kv_key(type_k, k_head, slot + lane);
        float s[n_rows];
        [[unroll]] for (uint r = 0; r < n_rows; r++) s[r] = 0.0;
        // Query rows come as scalars: a rolled loop keeps few of them alive, those of 32 dimensions. granules_at_once of K are on their
        // way together.
        [[dont_unroll]] for (uint granule = 0; granule < head_size; granule += granules_at_once * granule_dims) {
            KvGranule g[granules_at_once];
            [[unroll]] for (uint i = 0; i < granules_at_once; i++)
                g[i] = kv_load_granule(type_k, k, page_tokens, granule + i * granule_dims);
            [[unroll]] for (uint i = 0; i < granules_at_once; i++) {
                const uint first = granule + i * granule_dims;
                if (granule_dims == 8 || granules_at_once * granule_dims <= 32) {
                    [[unroll]] for (uint d = 0; d < granule_dims; d += 8) add_scores(g[i], first + d, s);
                } else {
                    [[dont_unroll]] for (uint d = first; d < first + granule_dims; d += 8) add_scores(g[i], d, s);
                }
            }
        }
        [[unroll]] for (uint r = 0; r < n_rows; r++) {
            const uint position = base + lane;
            const bool is_visible = position <= row_position[r] && row_position[r] - position < push.window && position < end;
            const float score = is_visible ? s[r] * (push.scale * kLog2E) : kMasked;
            const float m_new = max(m[r], subgroupMax(score));
            const float correction = exp2(m[r] - m_new);
            s[r] = is_visible ? exp2(score - m_new) : 0.0;
            m[r] = m_new;
            l[r] = l[r] * correction + s[r]; // per lane; summed over lanes at the end
            [[unroll]] for (uint i = 0; i < dims_per_lane; i++) acc[r * dims_per_lane + i] *= correction;
        }
        add_values(kv_head_of(type_v, push.v_pool, page, n_kv_heads, page_tokens, value_row, kv_head), slot,
                   min(local_size, end - base), s);
    }

    if (n_sharers > 1) {
        [[unroll]] for (uint i = 0; i < n_rows * dims_per_lane; i++) {
            float sum = 0.0;
            [[unroll]] for (uint k = 0; k < n_sharers; k++) sum += subgroupShuffle(acc[i], lane % n_words + k * n_words);
            acc[i] = sum;
        }
    }
    const uint part = part_index(tile_index, kv_head, 0);
    [[unroll]] for (uint r = 0; r < n_rows; r++) {
        float total = subgroupAdd(l[r]);
        if (tile.first_row + r > last_row) continue;
        float factor = 1.0;
        if (is_split == 0) { // else the last split adds the sink and divides
            if (has_sinks != 0) {
                const float sink = AddrF32(push.sinks).v[kv_head * group + (tile.first_row + r) % group] * kLog2E;
                const float largest = max(m[r], sink);
                factor = exp2(m[r] - largest);
                total = total * factor + exp2(sink - largest);
            }
            factor /= total;
        }
        uint to;
        if (is_split != 0) {
            to = partial_row(part, split, r);
            if (lane == 0) {
                partials[to + value_size] = m[r];
                partials[to + value_size + 1] = total;
            }
        } else {
            const uint row = tile.first_row + r;
            to = (tile.first_token + row / group) * push.y_stride + (kv_head * group + row % group) * value_size;
        }
        [[unroll]] for (uint i = 0; i < words_per_lane; i++) {
            const uint word = lane + i * local_size;
            if (word >= n_words) continue;
            [[unroll]] for (uint j = 0; j < word_dims; j++) {
                const float value = acc[r * dims_per_lane + i * word_dims + j] * factor;
                if (is_split != 0) {
                    partials[to + word * word_dims + j] = value;
                } else {
                    store_y(to + word * word_dims + j, value);
                }
            }
        }
    }
    if (is_split != 0) combine_splits(part, tile, kv_head, tile.first_row, min(n_rows, last_row + 1 - tile.first_row), 0);
}
