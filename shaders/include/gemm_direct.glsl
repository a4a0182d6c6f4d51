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
#if !WEIGHT_MIXED
#include "weight_halves.glsl"
#endif

const uint kFragment = 16u;
const uint n_groups = k_groups > 0 ? k_groups : 1u;
const uint n_each = kFragment / n_groups;
const uint n_fragments = kBlock / n_each; // fragments of a step
const uint kStepK = kBlock * n_groups;
const uint kStepGroups = kStepK / 8;
const uint kStepWords = kStepK / 4; // uvec2 of a column
// The same word of 16 columns has to lie on 16 pairs of banks. Short columns are set one word apart. Of long ones, which fill
// half of a compute unit's shared memory as it is, the words change places.
const bool kSwaps = kStepWords == 16;
const uint kColumnWords = kSwaps ? kStepWords : kStepWords + 1;

const uint n_held = n_weights * frags_m; // rows of weights that a lane decodes
const uint n_halves = n_held * 16;       // pairs of them in a step
// Steps of a stage: four rows are decoded between barriers then. (More of them do not fit the instruction cache.)
const uint kDeepest = tile_n <= 16 ? 4u : tile_n <= 32 ? 4u / n_groups : 1u;
const uint n_deep = kDeepest > n_held ? kDeepest / n_held : 1u;

shared uvec2 x_stage[2 * n_deep * tile_n * kColumnWords];

uint x_place(uint column, uint word) { return kSwaps ? word ^ column % kStepWords : word; }

const uint stage_blocks = n_deep * n_groups;
// Without a rest, blocks fill every stage.
uint stage_count() { return has_rest != 0 ? (push.n_blocks + stage_blocks - 1) / stage_blocks : push.n_blocks / stage_blocks; }

// A thread stages the same eight k of the step and the same columns every time; where they lie in x is found once. What the next
// stage needs is on its way while this one multiplies, a part of it with each of the step's fragments: registers for all of it would
// cost waves that hide the waits.
const uint n_staged = tile_n * kStepGroups;
const uint n_turns = (n_staged + local_size - 1) / local_size;
const uint n_phases = n_deep != 1 ? 1u : n_turns < n_fragments ? n_turns : n_fragments; // powers of two
const uint n_loads = n_deep * n_turns / n_phases; // of eight elements
uint x_at[n_turns];
float x_factor[n_turns];
vec4 x_next[2 * n_loads];
uvec4 x_next_halves[n_loads]; // one of the two

float x_scale(uint row, uint share, uint n_shares);

void find_x() {
    const uint g = gl_LocalInvocationIndex % kStepGroups; // local_size is a multiple of kStepGroups
    [[unroll]] for (uint i = 0; i < n_turns; i++) {
        const uint row = x_row(min((gl_LocalInvocationIndex + i * local_size) / kStepGroups, tile_n - 1));
        x_at[i] = row * (push.x_stride / (x_is_half != 0 ? 8 : 4));
        if (kScalesX) x_factor[i] = x_scale(row, g, kStepGroups);
    }
}

// Without a branch: beyond the last stage, or block, the loads repeat it.
void load_x(uint stage, uint phase) {
    const uint g = gl_LocalInvocationIndex % kStepGroups, first_block = min(stage, stage_count() - 1) * stage_blocks;
    [[unroll]] for (uint i = 0; i < n_loads; i++) {
        const uint turn = phase * n_loads + i % n_turns, step = i / n_turns * n_groups;
        const uint k = has_rest != 0 ? min(first_block + step + g / 4, push.n_blocks - 1) * kBlock + g % 4 * 8
                                     : first_block * kBlock + g * 8 + step * kBlock;
        if (x_is_half != 0) {
            x_next_halves[i] = x_halves[x_at[turn] + k / 8];
        } else {
            x_next[2 * i] = x[x_at[turn] + k / 4];
            x_next[2 * i + 1] = x[x_at[turn] + k / 4 + 1];
        }
    }
}

void store_x(uint stage, uint phase) {
    const uint g = gl_LocalInvocationIndex % kStepGroups, e = g % 4 * 8;
    const uint word = (e / n_each * kFragment + g / 4 * n_each + e % n_each) / 4;
    const uint first_column = gl_LocalInvocationIndex / kStepGroups, apart = local_size / kStepGroups;
    const uint first = (stage % 2 * n_deep * tile_n + first_column) * kColumnWords;
    [[unroll]] for (uint i = 0; i < n_loads; i++) {
        const uint step = stage * n_deep + i / n_turns, turn = phase * n_loads + i % n_turns;
        const uint column = first_column + turn * apart;
        if (n_staged % local_size != 0 && column >= tile_n) continue;
        vec4 lo = x_next[2 * i], hi = x_next[2 * i + 1];
        if (kScalesX) {
            lo *= x_factor[turn];
            hi *= x_factor[turn];
        }
        uvec4 halves = x_is_half != 0 ? x_next_halves[i] : rounded_halves(lo, hi);
        // The last stage may have less; what is beyond is zero.
        const bool is_there = has_rest == 0 || stage_blocks == 1 || step * n_groups + g / 4 < push.n_blocks;
        if (!is_there) halves = uvec4(0);
        // Turns are mostly a multiple of 16 columns apart: then all have the same place in their columns.
        const uint like = first_column + turn * apart % kFragment, on = (i / n_turns * tile_n + turn * apart) * kColumnWords;
        x_stage[first + x_place(like, word) + on] = halves.xy;
        x_stage[first + x_place(like, word + 1) + on] = halves.zw;
    }
}

// Sums of a fragment as eight rows of each of 32 lanes, consecutive from sum_row() on, which few wide stores take; their column is the
// lane's number % 16. Where a lane's rows are every other one, it exchanges four of them with the lane that has the rest.
uint sum_row() { return gl_SubgroupInvocationID / kFragment * 8u; }
void sum_rows(uint at, out float sums[8]) {
    const bool is_second = gl_SubgroupInvocationID >= kFragment;
    [[unroll]] for (uint i = 0; i < 4; i++) {
        if (rows_apart == 0) {
            sums[2 * i] = acc[at][2 * i];
            sums[2 * i + 1] = acc[at][2 * i + 1];
        } else {
            const float lower = acc[at][i], upper = acc[at][i + 4];
            const float other = subgroupShuffleXor(is_second ? lower : upper, kFragment);
            sums[2 * i] = is_second ? other : lower;
            sums[2 * i + 1] = is_second ? upper : other;
        }
    }
}

void decode_step(uint step, uint64_t tile[n_held], uint row[n_held], out f16vec2 w[n_halves]) {
    // Lanes are in step but for the block that a lane group is ahead; beyond the last block they repeat it, times zeros.
    const uint first = has_rest != 0 ? min(step, (push.n_blocks - 1) / n_groups) * n_groups : step * n_groups;
    lane_blocks = gl_SubgroupInvocationID / kFragment % n_groups;
    if (has_rest != 0) lane_blocks = min(lane_blocks, push.n_blocks - 1 - first);
    [[unroll]] for (uint i = 0; i < n_held; i++) {
        f16vec2 h[16];
        weight_decode_halves(WEIGHT_CODES, WEIGHT_SCALES, tile[i] + first, row[i], h);
        [[unroll]] for (uint e = 0; e < 16; e++) w[i * 16 + e] = h[e];
    }
}

// Fragments of a step from `first` on: each weight that was decoded with all columns of the wave.
void multiply_fragments(uint first, uint n_here, uint buffer_index, f16vec2 w[n_halves], bool masks, uint n_live) {
    const uint lane_row = gl_SubgroupInvocationID % kFragment;
    const uint lane_group = gl_SubgroupInvocationID / kFragment % n_groups;
    // In long columns a lane's words are all at the same distance of bits; their columns begin at multiples of theirs.
    const uint first_column = (buffer_index * tile_n + wave_column() + lane_row) * kColumnWords;
    const uint lane_word = lane_group * (n_each / 4), first_word = first_column + (kSwaps ? lane_row ^ lane_word : lane_word);
    [[unroll]] for (uint ff = 0; ff < n_here; ff++) {
        const uint f = first + ff;
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
            [[unroll]] for (uint e = 0; e < n_each; e += 4) {
                const uint word = (f * kFragment + e) / 4, from = kSwaps ? first_word ^ word : first_word + word;
                const uvec2 four = x_stage[from + n * (kFragment * kColumnWords)];
                const f16vec2 lo = unpackFloat2x16(four.x), hi = unpackFloat2x16(four.y);
                b[e] = lo.x;
                b[e + 1] = lo.y;
                b[e + 2] = hi.x;
                b[e + 3] = hi.y;
            }
            [[unroll]] for (uint i = 0; i < n_held; i++)
                acc[i * frags_n + n] = coopMatMulAdd(a[i], b, acc[i * frags_n + n]);
            // No instruction, but fewer loads are drawn forward: with all that registers hold, fragments had to be moved.
            if (!masks) subgroupMemoryBarrierShared();
        }
    }
}

// Leaves sums in acc as multiply() of gemm_tile.glsl does.
void multiply_direct(bool masks, uint n_live) {
    [[unroll]] for (uint i = 0; i < n_acc; i++)
        acc[i] = coopmat<float, gl_ScopeSubgroup, frag_m, frag_n, gl_MatrixUseAccumulator>(0.0);
    uint64_t tile[n_held]; // of a strip: the wave's rows begin at one, and a fragment has as many
    uint row[n_held];
    [[unroll]] for (uint i = 0; i < n_held; i++) {
        weight_row(i / frags_m * tile_m + wave_row() + i % frags_m * kFragment, tile[i], row[i]);
        row[i] = gl_SubgroupInvocationID % kFragment;
    }

    const uint n_stages = stage_count();
    const uint n_here = n_fragments / n_phases;
    barrier(); // x_row() may read what the workgroup wrote before
    find_x();
    [[unroll]] for (uint phase = 0; phase < n_phases; phase++) {
        load_x(0, phase);
        store_x(0, phase);
    }
    barrier();
    for (uint stage = 0; stage < n_stages; stage++) {
        f16vec2 w[n_halves];
        decode_step(stage * n_deep, tile, row, w);
        [[unroll]] for (uint phase = 0; phase < n_phases; phase++) {
            load_x(stage + 1, phase);
            multiply_fragments(phase * n_here, n_here, stage % 2 * n_deep, w, masks, n_live);
            [[unroll]] for (uint s = 1; s < n_deep; s++) { // then there is one phase
                decode_step(stage * n_deep + s, tile, row, w);
                multiply_fragments(0, n_here, stage % 2 * n_deep + s, w, masks, n_live);
            }
            store_x(stage + 1, phase);
        }
        barrier();
    }
}
