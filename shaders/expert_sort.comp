#version 460
// Sorts the slots of a large step by expert (include/expert_sort.glsl): count, scan, scatter. One workgroup.
#include "common.glsl"
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "expert_tiles.glsl"
#include "expert_sort.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_COUNTS, scalar) readonly restrict buffer Counts { uint counts[]; };
layout(binding = BIND_CHOICES, scalar) readonly restrict buffer Choices { uvec2 choices[]; };
layout(binding = BIND_TILES, scalar) writeonly restrict buffer Tiles { uvec4 tiles[]; };
layout(binding = BIND_SLOTS, scalar) writeonly restrict buffer Slots { uint slots[]; };

uint slot_expert(uint slot) { return choices[slot / n_used * choice_stride + slot % n_used].x; }
#include "expert_sort.glsl"

void main() { sort_slots(min(counts[kCountTokens], push.max_tokens) * n_used, push.groups_hidden, push.groups_out); }
