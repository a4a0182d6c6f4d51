#version 460
// The narrow part of sampling, a workgroup for each row of values (sample_scan.comp): top-k, top-p, min-p, temperature and
// the draw, by the same integers as engine/runtime/sampler.cpp, so that both choose the same token. Then the row's token
// record moves on to the token chosen, and the step can run again without the host.
//   greedy       the first of the largest values
//   no cut       weights are summed by block, the block of the draw is found, then the place in it
//   top-k        no value below the k-th largest block maximum is among the k best; what is above it is sorted
//   top-p alone  a histogram of the weights over the distance to the best shows how far the head reaches; it is sorted
// A head of more than kMostCandidates is left to the host. Bound by latency: a few passes over what was not ruled out.
#include "common.glsl"
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "sampling.glsl"
#include "sample_pick.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) restrict buffer Counts { uint counts[]; };
layout(binding = BIND_TOKENS, scalar) restrict buffer Tokens { uvec4 tokens[]; };
layout(binding = BIND_OUTPUTS, scalar) readonly restrict buffer Outputs { uint outputs[]; };
layout(binding = BIND_TILES, scalar) restrict buffer Tiles { uint tiles[]; }; // 8 words each
layout(binding = BIND_ROWS, scalar) restrict buffer Rows { SampleRow rows[]; };
layout(binding = BIND_WINDOW, scalar) restrict buffer Window { uint window[]; };
layout(binding = BIND_STOPS, scalar) readonly restrict buffer Stops { uint stops[]; }; // their number, then they
layout(binding = BIND_VALUES, scalar) readonly restrict buffer Values { float values[]; };
layout(binding = BIND_BLOCKS, scalar) readonly restrict buffer Blocks { float blocks[]; };
layout(binding = BIND_RESULTS, scalar) writeonly restrict buffer Results { uint results[]; };

const uint kMostCandidates = 2048u;
const uint kMostBlocks = 1024u;
const uint kPerUnit = 8u;  // bins of the histogram
const uint kBins = 176u;   // further away all weights are 0
const uint kTileWords = 8u, kTileFirstPosition = 3u;

shared uint64_t candidates[kMostCandidates]; // ordered logit, then the complement of the id
shared uint64_t sums[local_size];
shared float block_max[kMostBlocks];
shared uint low[kMostBlocks], high[kMostBlocks]; // 64-bit sums; block numbers
shared uint n_candidates, n_found, found;
shared uint64_t sum_before;
shared float best_of[local_size];

#define lid gl_LocalInvocationIndex
uint at_row;  // first value of the row
float best;   // the largest value
float scale;  // of distances, for what is summed

/// Adds to low[i], high[i].
void add_wide(uint i, uint lo, uint hi) {
    const uint before = atomicAdd(low[i], lo);
    hi += uint(before + lo < before);
    if (hi != 0u) atomicAdd(high[i], hi);
}

const uint kOfSums = 0u;       // low, high
const uint kOfCandidates = 1u; // weights of the sorted candidates
const uint kOfBlock = 2u;      // weights of the block from `block_start` on

uint block_start;
uint least; // weights below count nothing

uint weight_of(float x) {
    if (least != 0u && weight_at(x, best, 1.0) < least) return 0u;
    return weight_at(x, best, scale);
}

uint64_t item(uint source, uint i) {
    if (source == kOfSums) return uint64_t(high[i]) << 32 | uint64_t(low[i]);
    if (source == kOfCandidates)
        return uint64_t(weight_at(from_ordered(uint(candidates[i] >> 32)), best, scale));
    return uint64_t(weight_of(values[at_row + block_start + i]));
}

/// Sums the n items in chunks of the threads; sums[t] then holds everything up to thread t.
void scan_items(uint source, uint n) {
    const uint each = (n + local_size - 1u) / local_size;
    uint64_t mine = 0;
    for (uint i = lid * each; i < min(n, (lid + 1u) * each); i++) mine += item(source, i);
    barrier();
    sums[lid] = mine;
    barrier();
    [[dont_unroll]] for (uint s = 1u; s < local_size; s *= 2u) {
        const uint64_t other = lid >= s ? sums[lid - s] : uint64_t(0);
        barrier();
        sums[lid] += other;
        barrier();
    }
}

uint64_t total_of(uint source, uint n) {
    scan_items(source, n);
    return sums[local_size - 1u];
}

/// The first item up to which the sum is above `target`; n if there is none. `before`: the sum without it.
uint locate(uint source, uint n, uint64_t target, out uint64_t before) {
    scan_items(source, n);
    const uint each = (n + local_size - 1u) / local_size;
    if (lid == 0u) {
        found = n;
        sum_before = 0;
    }
    barrier();
    uint64_t sum = lid == 0u ? uint64_t(0) : sums[lid - 1u];
    if (sum <= target && sums[lid] > target) {
        for (uint i = lid * each; i < min(n, (lid + 1u) * each); i++) {
            const uint64_t w = item(source, i);
            if (sum + w > target) {
                found = i;
                break;
            }
            sum += w;
        }
        sum_before = sum; // one thread comes here
    }
    barrier();
    before = sum_before;
    const uint at = found;
    barrier();
    return at;
}

/// Blocks whose maximum is at least `bound`, listed in low[0 .. n).
uint list_blocks(float bound) {
    barrier();
    if (lid == 0u) n_found = 0u;
    barrier();
    for (uint b = lid; b < n_blocks; b += local_size) {
        if (block_max[b] >= bound && block_max[b] > kNoLogit) low[atomicAdd(n_found, 1u)] = b;
    }
    barrier();
    const uint n = n_found;
    barrier();
    return n;
}

/// Sorts all values of at least `bound` into candidates, the best first; more than there is room for: only their number.
uint collect(float bound) {
    const uint n_listed = list_blocks(bound);
    if (lid == 0u) n_candidates = 0u;
    barrier();
    for (uint i = lid; i < n_listed * block; i += local_size) {
        const uint id = low[i / block] * block + i % block;
        if (id >= n_vocab) continue;
        const float x = values[at_row + id];
        if (x < bound || x == kNoLogit) continue;
        const uint at = atomicAdd(n_candidates, 1u);
        if (at < kMostCandidates) candidates[at] = uint64_t(ordered(x)) << 32 | uint64_t(~id);
    }
    barrier();
    const uint n = n_candidates;
    barrier();
    if (n > kMostCandidates) return n;
    uint padded = 1u;
    while (padded < n) padded *= 2u;
    for (uint i = n + lid; i < padded; i += local_size) candidates[i] = 0;
    barrier();
    [[dont_unroll]] for (uint size = 2u; size <= padded; size *= 2u) {
        [[dont_unroll]] for (uint s = size / 2u; s > 0u; s /= 2u) {
            for (uint i = lid; i < padded / 2u; i += local_size) {
                const uint a = i / s * s * 2u + i % s;
                const uint b = a + s;
                const bool descends = (a & size) == 0u;
                const uint64_t x = candidates[a], y = candidates[b];
                if ((x < y) == descends) {
                    candidates[a] = y;
                    candidates[b] = x;
                }
            }
            barrier();
        }
    }
    return n;
}

/// A value that at least k of the values reach, near the k-th largest: the k-th largest maximum of a block, or of more
/// values than there are blocks the k-th largest itself, to 16 bits.
float bound_of_best(uint k) {
    const bool by_blocks = k <= n_blocks;
    uint key = 0u; // the largest with k at or above it, in its upper half
    [[dont_unroll]] for (int bit = 31; bit >= 16; bit--) {
        const uint tried = key | 1u << bit;
        barrier();
        if (lid == 0u) n_found = 0u;
        barrier();
        uint n = 0u;
        if (by_blocks) {
            for (uint b = lid; b < n_blocks; b += local_size) n += uint(ordered(block_max[b]) >= tried);
        } else {
            for (uint i = lid; i < n_vocab; i += local_size) n += uint(ordered(values[at_row + i]) >= tried);
        }
        if (n != 0u) atomicAdd(n_found, n);
        barrier();
        if (n_found >= k) key = tried;
    }
    return key <= ordered(kNoLogit) ? kNoLogit : from_ordered(key);
}

/// Sums weights by bins of the distance; returns the sum of all, and a value that the wanted head does not go below.
uint64_t head_of_probability(uint top_p, out float bound) {
    const uint n_listed = list_blocks(best - float(kBins / kPerUnit));
    // The list moves out of the way of the bins.
    for (uint i = lid; i < n_listed; i += local_size) candidates[i] = uint64_t(low[i]);
    barrier();
    for (uint i = lid; i < kBins; i += local_size) low[i] = high[i] = 0u;
    barrier();
    for (uint i = lid; i < n_listed * block; i += local_size) {
        const uint id = uint(candidates[i / block]) * block + i % block;
        if (id >= n_vocab) continue;
        const float x = values[at_row + id];
        const uint weight = weight_at(x, best, 1.0);
        if (weight != 0u) add_wide(min(uint((best - x) * float(kPerUnit)), kBins - 1u), weight, 0u);
    }
    barrier();
    const uint64_t total = total_of(kOfSums, kBins);
    const uint64_t wanted = multiply_high(uint64_t(top_p) << 32, total);
    uint64_t before;
    const uint bin = wanted == 0 ? 0u : locate(kOfSums, kBins, wanted - 1, before);
    // One bin more, as distances were rounded.
    bound = best - float(bin + 2u) / float(kPerUnit);
    return total;
}

/// The first of the largest values.
uint first_of_best() {
    barrier();
    if (lid == 0u) found = n_blocks;
    barrier();
    for (uint b = lid; b < n_blocks; b += local_size) {
        if (block_max[b] == best) atomicMin(found, b);
    }
    barrier();
    const uint b = found;
    barrier();
    if (lid == 0u) found = n_vocab;
    barrier();
    for (uint id = b * block + lid; id < min(n_vocab, (b + 1u) * block); id += local_size) {
        if (values[at_row + id] == best) atomicMin(found, id);
    }
    barrier();
    const uint id = found;
    barrier();
    return id;
}

/// Draws among all values whose weight is not below `least`, in the order of ids.
uint draw_from_all(uint64_t bits) {
    for (uint b = lid; b < n_blocks; b += local_size) low[b] = high[b] = 0u;
    barrier();
    // Blocks are whole subgroups.
    for (uint i = lid; i < (n_vocab + block - 1u) / block * block; i += local_size) {
        const uint b = i / block;
        uint weight = 0u;
        if (i < n_vocab) weight = weight_of(values[at_row + i]);
        const uint lower = subgroupAdd(weight & 0x7fffu), upper = subgroupAdd(weight >> 15);
        if (subgroupElect() && (lower | upper) != 0u) {
            const uint64_t sum = (uint64_t(upper) << 15) + uint64_t(lower);
            add_wide(b, uint(sum), uint(sum >> 32));
        }
    }
    barrier();
    const uint64_t target = multiply_high(bits, total_of(kOfSums, n_blocks));
    uint64_t before;
    const uint b = locate(kOfSums, n_blocks, target, before);
    if (b == n_blocks) return first_of_best(); // no weight is a number
    block_start = b * block;
    uint64_t unused;
    const uint i = locate(kOfBlock, min(block, n_vocab - block_start), target - before, unused);
    return block_start + i;
}

/// Draws from n sorted candidates.
uint draw_from_candidates(uint n, uint64_t bits) {
    const uint64_t target = multiply_high(bits, total_of(kOfCandidates, n));
    uint64_t before;
    uint i = locate(kOfCandidates, n, target, before);
    if (i == n) i = 0u; // no weight is a number
    return ~uint(candidates[i]);
}

/// How many of n sorted candidates top-p and min-p leave; `total`: the sum that top-p is a part of.
uint cut(const SampleRow row, uint n, uint64_t total) {
    scale = 1.0;
    if ((row.flags & kSampleTopP) != 0u) {
        const uint64_t wanted = multiply_high(uint64_t(row.top_p) << 32, total);
        uint64_t before;
        n = wanted == 0 ? 1u : min(n, locate(kOfCandidates, n, wanted - 1, before) + 1u);
    }
    if (row.least_weight != 0u) {
        barrier();
        if (lid == 0u) found = n;
        barrier();
        for (uint i = 1u + lid; i < n; i += local_size) {
            if (item(kOfCandidates, i) < row.least_weight) atomicMin(found, i);
        }
        barrier();
        n = found;
        barrier();
    }
    return n;
}

uint choose(const SampleRow row) {
    float mine = kNoLogit;
    for (uint b = lid; b < n_blocks; b += local_size) {
        block_max[b] = blocks[gl_WorkGroupID.x * n_blocks + b];
        mine = max(mine, block_max[b]);
    }
    best_of[lid] = mine;
    barrier();
    [[dont_unroll]] for (uint s = local_size / 2u; s > 0u; s /= 2u) {
        if (lid < s) best_of[lid] = max(best_of[lid], best_of[lid + s]);
        barrier();
    }
    best = best_of[0];
    if (best == kNoLogit) return kSampleNone;
    if ((row.flags & kSampleGreedy) != 0u) return first_of_best();

    const uint64_t bits = random_bits(row.seed, row.n_drawn);
    if (row.top_k == 0u && (row.flags & kSampleTopP) == 0u) {
        scale = row.scale;
        least = row.least_weight;
        return draw_from_all(bits);
    }
    float bound;
    uint64_t total = 0;
    if (row.top_k != 0u) {
        bound = bound_of_best(row.top_k);
    } else {
        total = head_of_probability(row.top_p, bound);
    }
    uint n = collect(bound);
    if (n > kMostCandidates) return kSampleOnHost;
    if (row.top_k != 0u) {
        n = min(n, row.top_k);
        scale = 1.0;
        total = total_of(kOfCandidates, n);
    }
    n = cut(row, n, total);
    scale = row.scale;
    return draw_from_candidates(n, bits);
}

void main() {
    const uint r = gl_WorkGroupID.x;
    if (r >= counts[kCountOutputs] || rows[r].is_done != 0u) return;
    at_row = r * n_vocab;
    least = 0u;
    const SampleRow row = rows[r];
    const uint token = choose(row);
    if (lid != 0u) return;

    results[row.n_steps * push.result_stride + r] = token;
    rows[r].n_steps = row.n_steps + 1u;
    bool is_done = token >= kSampleOnHost;
    if (!is_done && (row.flags & kSampleStops) != 0u) {
        for (uint i = 0u; i < stops[0]; i++) is_done = is_done || stops[1u + i] == token;
    }
    if (is_done) {
        rows[r].is_done = 1u;
        // Nothing is left to do for the steps behind this one.
        if (atomicAdd(counts[kCountRunning], 0xffffffffu) == 1u)
            counts[kCountTokens] = counts[kCountOutputs] = counts[kCountTiles] = 0u;
        return;
    }
    if ((row.flags & kSampleGreedy) == 0u) {
        rows[r].n_drawn[0] = row.n_drawn[0] + 1u;
        if (row.n_drawn[0] == 0xffffffffu) rows[r].n_drawn[1] = row.n_drawn[1] + 1u;
    }
    if (row.window_capacity != 0u) {
        window[r * kSampleWindow + row.window_next] = token;
        rows[r].window_next = (row.window_next + 1u) % row.window_capacity;
        rows[r].n_window = min(row.n_window + 1u, row.window_capacity);
    }
    tokens[outputs[r]].xy = uvec2(token, tokens[outputs[r]].y + 1u);
    for (uint i = 0u; i < row.n_tiles; i++) tiles[(row.first_tile + i) * kTileWords + kTileFirstPosition]++;
}
