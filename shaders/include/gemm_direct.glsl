// The loop of a matrix product on cooperative matrices whose fragment map is known (kernels::FragmentMap): a lane decodes its row's
// weights straight into fragments, 32 elements at a time; they never pass through shared memory. Activations, which all waves of a
// workgroup share, are rounded to f16 into shared memory, two stages of it in turn, so that one barrier a stage is enough. A stage
// is one step of k, or several where there are few columns: then weights are what has to be in flight, and they are not loaded
// across a barrier.
//   A fragment's lane holds row = lane % 16 and n_each consecutive k of lane group lane / 16 % k_groups. The order of k is free as
//   long as both operands agree, so lane group b takes block b of a step of k_groups blocks: fragment f, element e is k = f * n_each + e
//   of that block. Activations are staged in that order.
// Same interface as gemm_tile.glsl, whose constants it uses; frag_m, frag_n and frag_k are 16. And with kScalesX, rows of x are
// multiplied on their way by
//   float x_scale(uint row, uint share, uint n_shares)    n_shares neighbouring lanes, each with its share, ask for the same row
#include "weight_halves.glsl"

const uint kFragment = 16u;
const uint n_groups = k_groups > 0 ? k_groups : 1u;
const uint n_each = kFragment / n_groups;
const uint n_fragments = kBlock / n_each; // fragments of a step
const uint kStepK = kBlock * n_groups;
// Rows of 8 bytes more than a multiple of 128: 16 rows lie on 16 pairs of banks.
const uint kStepWords = kStepK / 4 + 1; // uvec2

const uint n_held = n_weights * frags_m; // rows of weights that a lane decodes
// Steps of a stage: four rows are decoded between barriers then. (More of them do not fit the instruction cache.)
const uint kDeepest = tile_n <= 16 ? 4u : tile_n <= 32 ? 4u / n_groups : 1u;
const uint n_deep = kDeepest > n_held ? kDeepest / n_held : 1u;

shared uvec2 x_stage[2 * n_deep * tile_n * kStepWords];

// A thread stages the same eight k of the step and the same columns every time; where they lie in x is found once.
const uint kStepGroups = kStepK / 8;
const uint n_staged = tile_n * kStepGroups;
const uint n_turns = (n_staged + local_size - 1) / local_size;
uint x_at[n_turns];
float x_factor[n_turns];

float x_scale(uint row, uint share, uint n_shares);

void find_x() {
    const uint g = gl_LocalInvocationIndex % kStepGroups; // local_size is a multiple of kStepGroups
    [[unroll]] for (uint i = 0; i < n_turns; i++) {
        const uint row = x_row(min((gl_LocalInvocationIndex + i * local_size) / kStepGroups, tile_n - 1));
        x_at[i] = row * (push.x_stride / 4) + g * 2;
        if (kScalesX) x_factor[i] = x_scale(row, g, kStepGroups);
    }
}

void stage_x(uint step, uint buffer_index) {
    const uint g = gl_LocalInvocationIndex % kStepGroups, e = g % 4 * 8;
    const uint column = gl_LocalInvocationIndex / kStepGroups;
    const uint to = (buffer_index * tile_n + column) * kStepWords + ((e / n_each) * kFragment + g / 4 * n_each + e % n_each) / 4;
    // The last stage may have less; what is beyond is zero.
    const bool is_there = n_groups * n_deep == 1 || step * n_groups + g / 4 < push.n_blocks;
    [[unroll]] for (uint i = 0; i < n_turns; i++) {
        if (n_staged % local_size != 0 && gl_LocalInvocationIndex + i * local_size >= n_staged) break;
        vec4 lo = vec4(0.0), hi = vec4(0.0);
        if (is_there) {
            lo = x[x_at[i] + step * (kStepK / 4)];
            hi = x[x_at[i] + step * (kStepK / 4) + 1];
        }
        if (kScalesX) {
            lo *= x_factor[i];
            hi *= x_factor[i];
        }
        const uint at = to + i * (local_size / kStepGroups) * kStepWords;
        x_stage[at] = uvec2(packFloat2x16(f16vec2(lo.xy)), packFloat2x16(f16vec2(lo.zw)));
        x_stage[at + 1] = uvec2(packFloat2x16(f16vec2(hi.xy)), packFloat2x16(f16vec2(hi.zw)));
    }
}

// Row of element e of a sum, for 32 lanes; its column is the lane's number % 16.
uint sum_row(uint e) {
    const uint lane_group = gl_SubgroupInvocationID / kFragment;
    return rows_apart != 0 ? 2 * e + lane_group : 8 * lane_group + e;
}

// One step of k: each weight decoded once, for all columns of the wave.
void multiply_step(uint step, uint buffer_index, uint64_t tile[n_held], uint row[n_held], bool masks, uint n_live) {
    const uint lane_row = gl_SubgroupInvocationID % kFragment;
    const uint lane_group = gl_SubgroupInvocationID / kFragment % n_groups;
    f16vec2 w[n_held * 16];
    [[unroll]] for (uint i = 0; i < n_held; i++) {
        const uint block = min(step * n_groups + lane_group, push.n_blocks - 1); // beyond: times zeros
        f16vec2 h[16];
        weight_decode_halves(WEIGHT_CODES, WEIGHT_SCALES, tile[i] + block, row[i], h);
        [[unroll]] for (uint e = 0; e < 16; e++) w[i * 16 + e] = h[e];
    }
    [[unroll]] for (uint f = 0; f < n_fragments; f++) {
        coopmat<float16_t, gl_ScopeSubgroup, frag_m, frag_k, gl_MatrixUseA> a[n_held];
        [[unroll]] for (uint i = 0; i < n_held; i++) {
            [[unroll]] for (uint e = 0; e < n_each; e += 2) {
                a[i][e] = w[i * 16 + (f * n_each + e) / 2].x;
                a[i][e + 1] = w[i * 16 + (f * n_each + e) / 2].y;
            }
        }
        [[unroll]] for (uint n = 0; n < frags_n; n++) {
            if (masks && wave_column() + n * frag_n >= n_live) continue;
            coopmat<float16_t, gl_ScopeSubgroup, frag_k, frag_n, gl_MatrixUseB> b;
            const uint from = (buffer_index * tile_n + wave_column() + n * kFragment + lane_row) * kStepWords +
                              (f * kFragment + lane_group * n_each) / 4;
            [[unroll]] for (uint e = 0; e < n_each; e += 4) {
                const uvec2 four = x_stage[from + e / 4];
                const f16vec2 lo = unpackFloat2x16(four.x), hi = unpackFloat2x16(four.y);
                b[e] = lo.x;
                b[e + 1] = lo.y;
                b[e + 2] = hi.x;
                b[e + 3] = hi.y;
            }
            [[unroll]] for (uint i = 0; i < n_held; i++)
                acc[i * frags_n + n] = coopMatMulAdd(a[i], b, acc[i * frags_n + n]);
        }
    }
}

// Leaves sums in acc as multiply() of gemm_tile.glsl does.
void multiply_direct(bool masks, uint n_live) {
    [[unroll]] for (uint i = 0; i < n_acc; i++)
        acc[i] = coopmat<float, gl_ScopeSubgroup, frag_m, frag_n, gl_MatrixUseAccumulator>(0.0);
    const uint lane_row = gl_SubgroupInvocationID % kFragment;
    uint64_t tile[n_held];
    uint row[n_held];
    [[unroll]] for (uint i = 0; i < n_held; i++)
        weight_row(i / frags_m * tile_m + wave_row() + i % frags_m * kFragment + lane_row, tile[i], row[i]);

    const uint stage_blocks = n_deep * n_groups;
    const uint n_stages = (push.n_blocks + stage_blocks - 1) / stage_blocks;
    barrier(); // x_row() may read what the workgroup wrote before
    find_x();
    [[unroll]] for (uint s = 0; s < n_deep; s++) stage_x(s, s);
    barrier();
    for (uint stage = 0; stage < n_stages; stage++) {
        if (stage + 1 < n_stages) {
            [[unroll]] for (uint s = 0; s < n_deep; s++) stage_x((stage + 1) * n_deep + s, (stage + 1) % 2 * n_deep + s);
        }
        [[unroll]] for (uint s = 0; s < n_deep; s++) multiply_step(stage * n_deep + s, stage % 2 * n_deep + s, tile, row, masks, n_live);
        barrier();
    }
}
