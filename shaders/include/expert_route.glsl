// Top-k routing of a mixture of experts, all in f32: logits (n_tokens, logits_stride) -> choices (expert_tiles.glsl).
//   p = softmax(z) | sigmoid(z) | z | sqrt(softplus(z));  selection by p + bias;  experts of groups that are not among the
//   best (by the sum of their two largest) come last;  weights p of the selected, optionally divided by their sum, times scale
// With n_shared the last experts are those that every token takes, with weight 1 or a gate, as its last choices.
// Ties go to the lower index. One subgroup a token, experts in registers.
// The includer has the buffers logits, choices, tiles and slots, push.{selection_bias, load, homes, scale, groups_hidden, groups_out,
// down_arrivals_at}, LOGITS_STRIDE, and as constants `lanes` of a subgroup and what is said of the router.
const uint kSoftmax = 1u;
const uint kSigmoid = 2u;
const uint kSoftmaxOfSelected = 3u;
const uint kSqrtSoftplus = 4u;

const uint n_routed = n_experts - n_shared; // experts that are chosen from
const uint n_top = n_used - n_shared;       // choices that a token makes
const uint per_lane = (n_routed + lanes - 1u) / lanes;
const uint n_waves = local_size / lanes;
const float kLowest = -3.4e38;
const float kTaken = -1.0 / 0.0;

shared uint chosen[(sorts != 0 ? max_tokens : n_waves) * n_used]; // experts
shared float chosen_weight[n_waves * n_top];
shared float selection[n_groups > 1u ? n_waves * n_routed : 1u];
shared float group_score[n_groups > 1u ? n_waves * n_groups : 1u];

uint slot_expert(uint slot) { return chosen[slot]; }
#include "expert_sort.glsl"

void route(uint t, uint chosen_at) {
    const uint lane = gl_SubgroupInvocationID;
    const uint wave = gl_SubgroupID;
    float p[per_lane], s[per_lane];
    float largest = kLowest;
    [[unroll]] for (uint i = 0; i < per_lane; i++) {
        const uint e = i * lanes + lane;
        p[i] = e < n_routed ? logits[t * LOGITS_STRIDE + e] : kLowest;
        if (isnan(p[i])) p[i] = kLowest;
        largest = max(largest, p[i]);
    }
    if (gating == kSoftmax) {
        largest = subgroupMax(largest);
        float sum = 0.0;
        [[unroll]] for (uint i = 0; i < per_lane; i++) {
            p[i] = i * lanes + lane < n_routed ? exp(p[i] - largest) : 0.0;
            sum += p[i];
        }
        sum = subgroupAdd(sum);
        [[unroll]] for (uint i = 0; i < per_lane; i++) p[i] /= sum;
    } else if (gating == kSigmoid) {
        [[unroll]] for (uint i = 0; i < per_lane; i++) p[i] = 1.0 / (1.0 + exp(-p[i]));
    } else if (gating == kSqrtSoftplus) {
        [[unroll]] for (uint i = 0; i < per_lane; i++) p[i] = sqrt(p[i] > 20.0 ? p[i] : log(1.0 + exp(p[i])));
    }
    [[unroll]] for (uint i = 0; i < per_lane; i++) {
        const uint e = i * lanes + lane;
        s[i] = kTaken;
        if (e < n_routed) s[i] = max(p[i] + (has_bias != 0 ? AddrF32(push.selection_bias).v[e] : 0.0), kLowest);
    }

    if (n_groups > 1u) {
        [[unroll]] for (uint i = 0; i < per_lane; i++) {
            if (i * lanes + lane < n_routed) selection[wave * n_routed + i * lanes + lane] = s[i];
        }
        subgroupMemoryBarrierShared();
        subgroupBarrier();
        const uint group_size = n_routed / n_groups;
        for (uint g = lane; g < n_groups; g += lanes) {
            float first = kLowest, second = kLowest;
            for (uint i = 0; i < group_size; i++) {
                const float v = selection[wave * n_routed + g * group_size + i];
                second = max(second, min(first, v));
                first = max(first, v);
            }
            group_score[wave * n_groups + g] = first + second;
        }
        subgroupMemoryBarrierShared();
        subgroupBarrier();
        [[unroll]] for (uint i = 0; i < per_lane; i++) {
            const uint e = i * lanes + lane;
            if (e >= n_routed) continue;
            const float mine = group_score[wave * n_groups + e / group_size];
            uint better = 0;
            for (uint g = 0; g < n_groups; g++) {
                const float other = group_score[wave * n_groups + g];
                if (other > mine || (other == mine && g < e / group_size)) better++;
            }
            if (better >= n_groups_used) s[i] = kLowest;
        }
    }

    float sum = 0.0, first_z = 0.0;
    [[dont_unroll]] for (uint j = 0; j < n_top; j++) {
        float best = kTaken, best_p = 0.0;
        uint best_e = 0xffffffffu;
        [[unroll]] for (uint i = 0; i < per_lane; i++) {
            if (s[i] > best) {
                best = s[i];
                best_p = p[i];
                best_e = i * lanes + lane;
            }
        }
        const float top = subgroupMax(best);
        const uint e = min(subgroupMin(best == top ? best_e : 0xffffffffu), n_routed - 1u);
        float w = subgroupMax(best_e == e ? best_p : kLowest);
        if (gating == kSoftmaxOfSelected) {
            if (j == 0) first_z = w;
            w = exp(w - first_z);
        }
        sum += w;
        [[unroll]] for (uint i = 0; i < per_lane; i++) {
            if (i * lanes + lane == e) s[i] = kTaken;
        }
        if (lane == 0) {
            chosen[chosen_at + j] = e;
            chosen_weight[wave * n_top + j] = w;
        }
    }
    subgroupMemoryBarrierShared();
    subgroupBarrier();
    float factor = push.scale;
    if (gating == kSoftmaxOfSelected) {
        factor /= sum;
    } else if (normalises != 0) {
        factor /= max(sum, 6.1e-5);
    }
    const uint stride = n_used + (n_shared == 0u ? has_shared_gate : 0u);
    for (uint j = lane; j < n_top; j += lanes) {
        choices[t * stride + j] = uvec2(chosen[chosen_at + j], floatBitsToUint(chosen_weight[wave * n_top + j] * factor));
        if (push.load != 0) atomicAdd(AddrU32(push.load).v[chosen[chosen_at + j]], 1u);
    }
    if (has_shared_gate != 0 || n_shared != 0) {
        float w = 1.0;
        if (has_shared_gate != 0) w /= 1.0 + exp(-logits[t * LOGITS_STRIDE + n_routed]);
        for (uint i = lane; i < max(n_shared, 1u); i += lanes) {
            choices[t * stride + n_top + i] = uvec2(n_routed + i, floatBitsToUint(w));
            if (n_shared != 0) chosen[chosen_at + n_top + i] = n_routed + i;
        }
    }
}

// Of a single workgroup: routes all tokens and sorts their slots; for one token there is nothing to sort.
void route_step(uint n_tokens) {
    if (sorts != 0) {
        for (uint t = gl_SubgroupID; t < n_tokens; t += n_waves) route(t, t * n_used);
        for (uint i = gl_LocalInvocationIndex; i < (push.groups_out + 3u) / 4u; i += local_size) tiles[push.down_arrivals_at + i] = uvec4(0u);
        barrier();
        sort_slots(n_tokens * n_used, push.groups_hidden, push.groups_out);
        return;
    }
    if (gl_SubgroupID > 0u) return;
    if (n_tokens > 0u) route(0u, 0u);
    subgroupMemoryBarrierShared();
    subgroupBarrier();
    for (uint j = gl_SubgroupInvocationID; j < n_tokens * n_used; j += lanes) {
        tiles[kTileHeader + j] = uvec4(chosen[j], j, 1u, home_of(chosen[j]));
        slots[j] = j;
    }
    if (subgroupElect()) tiles[0] = uvec4(n_tokens * n_used, 0u, 0u, 0u);
}
