// Joins the splits of attention: of the waves with the same query rows (and the same part of V's dimensions), each with its share
// of the keys, the one that finishes last merges what all of them left. With M = max of the m_s
//   y = sum_s 2^(m_s - M) acc_s / sum_s 2^(m_s - M) l_s
// (the online softmax works in powers of two); a sink s counts as 2^(s log2 e - M) in the divisor. The order of summation is
// that of the splits, whoever is last.
//   partials: [tile][K/V head][wave][split][row][part_dims + 2] f32, after the sums m_s and l_s
//   arrivals: [tile][K/V head][wave], zero when a step begins (rope_table.comp) and again after each dispatch
// The includer declares the buffers partials and arrivals (coherent), what y_store.glsl has, and as constants what a wave has: part_rows, part_dims,
// part_lanes (its own lanes), n_waves of a workgroup, and part_loads: how many fours of dimensions, of one or several splits, a lane
// loads at a time, six registers each. As many as need no more registers than the loop over keys.
#define n_splits gl_NumWorkGroups.z
const uint part_floats = part_dims + 2u;
const uint quads = part_dims / 4u;
const uint quads_per_lane = (part_rows * quads + part_lanes - 1u) / part_lanes;
const uint quads_at_once = quads_per_lane < part_loads / 4u ? quads_per_lane : part_loads / 4u;
const uint splits_at_once = part_loads / quads_at_once;

uint part_index(uint tile_index, uint kv_head, uint wave) { return (tile_index * n_kv_heads + kv_head) * n_waves + wave; }
uint partial_row(uint part, uint split, uint r) { return ((part * n_splits + split) * part_rows + r) * part_floats; }

// Whether the waves of all other splits have stored this part; then what they stored is visible.
bool is_last_split(uint part) {
    subgroupBarrier();
    memoryBarrierBuffer(); // release what the wave stored
    uint n = 0;
    if (subgroupElect()) n = atomicAdd(arrivals[part], 1u);
    n = subgroupBroadcastFirst(n);
    memoryBarrierBuffer(); // acquire
    if (n + 1u != n_splits) return false;
    if (subgroupElect()) arrivals[part] = 0u; // as it was
    return true;
}

// What a lane keeps of a row: its maximum and denominator so far, and four dimensions.
struct Combined {
    float m, l;
    vec4 sums;
};

void take_split(inout Combined c, float largest, float m, float l, vec4 sums) {
    const float factor = exp2(m - largest);
    c.l = fma(l, factor, c.l);
    c.sums = fma(sums, vec4(factor), c.sums);
}

void rescale(inout Combined c, float largest) {
    const float correction = exp2(c.m - largest);
    c.m = largest;
    c.l *= correction;
    c.sums *= correction;
}

// The wave's rows are the tile's from first_row on, n_mine of them exist; its dimensions are those from first_dim on.
void combine_splits(uint part, Tile tile, uint kv_head, uint first_row, uint n_mine, uint first_dim) {
    if (!is_last_split(part)) return;
    const uint heads = n_heads / n_kv_heads, n_quads = n_mine * quads;
    for (uint at = 0; at < n_quads; at += quads_at_once * part_lanes) {
        Combined c[quads_at_once];
        uint from[quads_at_once], dim[quads_at_once]; // of the first split's row
        [[unroll]] for (uint i = 0; i < quads_at_once; i++) {
            const uint quad = min(at + i * part_lanes + gl_SubgroupInvocationID, n_quads - 1u);
            c[i] = Combined(-1e30, 0.0, vec4(0.0));
            from[i] = partial_row(part, 0u, quad / quads);
            dim[i] = quad % quads * 4u;
        }
        for (uint s = 0; s < n_splits; s += splits_at_once) {
            vec4 sums[part_loads];
            vec2 state[part_loads];
            [[unroll]] for (uint j = 0; j < splits_at_once; j++) {
                const uint apart = min(s + j, n_splits - 1u) * part_rows * part_floats;
                [[unroll]] for (uint i = 0; i < quads_at_once; i++) {
                    const uint row = from[i] + apart, quad = row + dim[i];
                    state[j * quads_at_once + i] = vec2(partials[row + part_dims], partials[row + part_dims + 1u]);
                    sums[j * quads_at_once + i] = vec4(partials[quad], partials[quad + 1u], partials[quad + 2u], partials[quad + 3u]);
                }
            }
            [[unroll]] for (uint i = 0; i < quads_at_once; i++) {
                float largest = c[i].m;
                [[unroll]] for (uint j = 0; j < splits_at_once; j++) largest = max(largest, state[j * quads_at_once + i].x);
                rescale(c[i], largest);
                [[unroll]] for (uint j = 0; j < splits_at_once; j++) { // a split without keys left zeros
                    const uint k = j * quads_at_once + i;
                    if (s + j < n_splits) take_split(c[i], largest, state[k].x, state[k].y, sums[k]);
                }
            }
        }
        [[unroll]] for (uint i = 0; i < quads_at_once; i++) {
            const uint quad = at + i * part_lanes + gl_SubgroupInvocationID;
            if (quad >= n_quads) continue;
            const uint row = first_row + quad / quads, head = kv_head * heads + row % heads;
            if (has_sinks != 0) {
                const float sink = AddrF32(push.sinks).v[head] * 1.4426950408889634;
                const float largest = max(c[i].m, sink);
                rescale(c[i], largest);
                take_split(c[i], largest, sink, 1.0, vec4(0.0));
            }
            const vec4 value = c[i].sums * (1.0 / c[i].l);
            const uint to = (tile.first_token + row / heads) * push.y_stride + head * value_size + first_dim + dim[i];
            store_y_pair(to, 0u, value.x, value.y);
            store_y_pair(to, 2u, value.z, value.w);
        }
    }
}
