#version 460
// Which elements of a cooperative matrix a lane holds. The source has M x M indices, row-major, then the identity: so the
// elements of A and B are their own indices when loaded, and those of the accumulator when A is multiplied by the identity.
// found[use][lane][i] for uses A, B and accumulator; entries a fragment does not have stay.
#include "common.glsl"
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#include "fragment_probe.gen.glsl"

layout(local_size_x_id = 0) in;
layout(binding = BIND_HALVES, scalar) readonly restrict buffer Halves { float16_t halves[]; };
layout(binding = BIND_FOUND, scalar) writeonly restrict buffer Found { uint found[]; };

void main() {
    const uint lane = gl_SubgroupInvocationID;
    coopmat<float16_t, gl_ScopeSubgroup, frag, frag, gl_MatrixUseA> a;
    coopmat<float16_t, gl_ScopeSubgroup, frag, frag, gl_MatrixUseB> b, identity;
    coopMatLoad(a, halves, 0, frag, gl_CooperativeMatrixLayoutRowMajor);
    coopMatLoad(b, halves, 0, frag, gl_CooperativeMatrixLayoutRowMajor);
    coopMatLoad(identity, halves, frag * frag, frag, gl_CooperativeMatrixLayoutRowMajor);
    coopmat<float, gl_ScopeSubgroup, frag, frag, gl_MatrixUseAccumulator> c =
        coopmat<float, gl_ScopeSubgroup, frag, frag, gl_MatrixUseAccumulator>(0.0);
    c = coopMatMulAdd(a, identity, c);
    if (gl_SubgroupID != 0u) return; // whole default subgroups are asked for: on RADV two of the smaller ones
    for (uint i = 0; i < a.length() && i < max_elements; i++) found[lane * max_elements + i] = uint(a[i]);
    for (uint i = 0; i < b.length() && i < max_elements; i++) found[(lanes + lane) * max_elements + i] = uint(b[i]);
    for (uint i = 0; i < c.length() && i < max_elements; i++) found[(2 * lanes + lane) * max_elements + i] = uint(c[i]);
}
