#version 460
// O[row] = softmax(scale * Q[row] K^T, causal) V    for n_rows query rows that share one K/V head; online softmax in f32.
// A window hides keys that are `window` or more positions back (the query's own position counts, so it sees at most
// `window` keys). A sink is one more logit per head, not scaled, that takes part in the softmax and has no value.
//   Q: (n_tokens, q_stride) f32 with heads of head_size first; Y: (n_tokens, y_stride) f32; K, V: paged (kv.glsl)
// One subgroup a workgroup. Scores: a lane owns a K row and multiplies it with query rows that are uniform loads.
// Values: a lane owns granules of head dimensions; probabilities come from the lanes by broadcast.
// Grid: K/V heads x tiles x splits. With n_splits > 1 unnormalised sums, maximum and denominator go to `partials`
// [tile][kv head][split][row][head_size + 2]; attention_combine.comp merges them.
#include "common.glsl"
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
#include "kv.glsl"
#include "attention_tile.glsl"
#include "attention.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_TILES, scalar) readonly restrict buffer Tiles { uvec4 tiles[]; };
layout(binding = BIND_PAGES, scalar) readonly restrict buffer Pages { uint pages[]; };
layout(binding = BIND_Q, scalar) readonly restrict buffer Q { vec4 q[]; };
layout(binding = BIND_Y, scalar) writeonly restrict buffer Y { float y[]; };
layout(binding = BIND_PARTIALS, scalar) writeonly restrict buffer Partials { float partials[]; };

const uint group = n_heads / n_kv_heads;
const uint n_granules = head_size / v_granule;
const uint granules_per_lane = (n_granules + local_size - 1) / local_size;
const uint dims_per_lane = granules_per_lane * v_granule;
const float kLog2E = 1.4426950408889634;
const float kMasked = -1e30;

float acc[n_rows * dims_per_lane];

void add_values(KvRow v, float p[n_rows]) {
    [[unroll]] for (uint i = 0; i < granules_per_lane; i++) {
        // lanes beyond the last granule repeat it and do not store
        const uint granule = min(gl_SubgroupInvocationID + i * local_size, n_granules - 1);
        if (v_granule == 8) {
            vec4 a, b;
            kv_load8(type_v, v, granule * 8, a, b);
            [[unroll]] for (uint r = 0; r < n_rows; r++) {
                const uint to = r * dims_per_lane + i * v_granule;
                [[unroll]] for (uint j = 0; j < 4; j++) {
                    acc[to + j] = fma(p[r], a[j], acc[to + j]);
                    acc[to + v_granule / 2 + j] = fma(p[r], b[j], acc[to + v_granule / 2 + j]);
                }
            }
        } else {
            const vec4 a = kv_load4(type_v, v, granule * 4);
            [[unroll]] for (uint r = 0; r < n_rows; r++) {
                const uint to = r * dims_per_lane + i * v_granule;
                [[unroll]] for (uint j = 0; j < 4; j++) acc[to + j] = fma(p[r], a[j], acc[to + j]);
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
    const uint lane = gl_SubgroupInvocationID;
    const uint last_row = tile.n_tokens * group - 1;

    uint q_at[n_rows];      // in vec4
    uint row_position[n_rows];
    [[unroll]] for (uint r = 0; r < n_rows; r++) {
        const uint row = min(tile.first_row + r, last_row);
        const uint token = row / group;
        row_position[r] = tile.first_position + token;
        q_at[r] = ((tile.first_token + token) * push.q_stride + (kv_head * group + row % group) * head_size) / 4;
    }
    const uint n_kv = row_position[n_rows - 1] + 1;

    // The splits share the pages from the first that the tile's first row sees to the last that its last row sees.
    const uint first_page = (row_position[0] - min(row_position[0], push.window - 1u)) / page_tokens;
    const uint n_pages = (n_kv + page_tokens - 1) / page_tokens;
    const uint pages_per_split = (n_pages - first_page + n_splits - 1) / n_splits;
    const uint begin = (first_page + split * pages_per_split) * page_tokens;
    const uint end = min(n_kv, begin + pages_per_split * page_tokens);

    float m[n_rows], l[n_rows];
    [[unroll]] for (uint r = 0; r < n_rows; r++) {
        m[r] = kMasked;
        l[r] = 0.0;
    }
    [[unroll]] for (uint i = 0; i < n_rows * dims_per_lane; i++) acc[i] = 0.0;

    for (uint base = begin; base < end; base += local_size) {
        const uint page = pages[tile.sequence * max_pages + base / page_tokens];
        const uint slot = base % page_tokens;
        const KvRow k = kv_row(type_k, push.k_pool, page, n_kv_heads, page_tokens, head_size, kv_head, slot + lane);
        float s[n_rows];
        [[unroll]] for (uint r = 0; r < n_rows; r++) s[r] = 0.0;
        // Query rows come as scalars: a rolled loop keeps few of them alive.
        [[dont_unroll]] for (uint d = 0; d < head_size; d += 8) {
            vec4 a, b;
            kv_load8(type_k, k, d, a, b);
            [[unroll]] for (uint r = 0; r < n_rows; r++) {
                const vec4 qa = q[q_at[r] + d / 4], qb = q[q_at[r] + d / 4 + 1];
                s[r] = fma(a.x, qa.x, fma(a.y, qa.y, fma(a.z, qa.z, fma(a.w, qa.w, s[r]))));
                s[r] = fma(b.x, qb.x, fma(b.y, qb.y, fma(b.z, qb.z, fma(b.w, qb.w, s[r]))));
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
        const uint n_here = min(local_size, end - base); // rows beyond were never written: not even times zero
        KvRow v = kv_row(type_v, push.v_pool, page, n_kv_heads, page_tokens, head_size, kv_head, slot);
        for (uint t = 0; t < n_here; t++) {
            float p[n_rows];
            [[unroll]] for (uint r = 0; r < n_rows; r++) p[r] = subgroupBroadcast(s[r], t);
            add_values(v, p);
            v.codes += kv_code_bytes(type_v, head_size);
            v.scales += kv_scale_bytes(type_v, head_size);
        }
    }

    [[unroll]] for (uint r = 0; r < n_rows; r++) {
        float total = subgroupAdd(l[r]);
        if (tile.first_row + r > last_row) continue;
        float factor = 1.0;
        if (n_splits == 1) { // else attention_combine.comp adds the sink and divides
            if (has_sinks != 0) {
                const float sink = AddrF32(push.sinks).v[kv_head * group + (tile.first_row + r) % group] * kLog2E;
                const float largest = max(m[r], sink);
                factor = exp2(m[r] - largest);
                total = total * factor + exp2(sink - largest);
            }
            factor /= total;
        }
        uint to;
        if (n_splits > 1) {
            to = (((tile_index * n_kv_heads + kv_head) * n_splits + split) * n_rows + r) * (head_size + 2);
            if (lane == 0) {
                partials[to + head_size] = m[r];
                partials[to + head_size + 1] = total;
            }
        } else {
            const uint row = tile.first_row + r;
            to = (tile.first_token + row / group) * push.y_stride + (kv_head * group + row % group) * head_size;
        }
        [[unroll]] for (uint i = 0; i < granules_per_lane; i++) {
            const uint granule = lane + i * local_size;
            if (granule >= n_granules) continue;
            [[unroll]] for (uint j = 0; j < v_granule; j++) {
                const float value = acc[r * dims_per_lane + i * v_granule + j] * factor;
                if (n_splits > 1) {
                    partials[to + granule * v_granule + j] = value;
                } else {
                    y[to + granule * v_granule + j] = value;
                }
            }
        }
    }
}
