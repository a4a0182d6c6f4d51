#version 460
// Routing of a mixture of experts by logits that another dispatch has left (include/expert_route.glsl): of few tokens, with their
// slots sorted, by a single workgroup; of many by a subgroup a token, and expert_sort.comp sorts.
#include "common.glsl"
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
#include "expert_tiles.glsl"
#include "expert_route.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_LOGITS, scalar) readonly restrict buffer Logits { float logits[]; };
layout(binding = BIND_CHOICES, scalar) writeonly restrict buffer Choices { uvec2 choices[]; };
layout(binding = BIND_TILES, scalar) writeonly restrict buffer Tiles { uvec4 tiles[]; };
layout(binding = BIND_SLOTS, scalar) writeonly restrict buffer Slots { uint slots[]; };
#define LOGITS_STRIDE push.logits_stride
#include "expert_route.glsl"

void main() {
    const uint n_tokens = min(counts[kCountTokens], max_tokens);
    if (sorts != 0 || max_tokens == 1u) {
        route_step(n_tokens);
        return;
    }
    const uint t = gl_WorkGroupID.x * n_waves + gl_SubgroupID;
    if (t < n_tokens) route(t, gl_SubgroupID * n_used);
}
