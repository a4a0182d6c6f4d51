#version 460
// What cooperative matrices give at most: each wave multiplies fragments that stay in registers into 2 x 2 accumulators.
#include "common.glsl"
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#include "roofline_matrix.gen.glsl"

layout(local_size_x_id = 0) in;
#ifdef ELEMENT_S8
#define ELEMENT int8_t
#define SUM int
#else
#define ELEMENT float16_t
#define SUM float
#endif
layout(binding = BIND_SOURCE, scalar) readonly restrict buffer Source { ELEMENT source[]; };
layout(binding = BIND_RESULT, scalar) writeonly restrict buffer Result { SUM result[]; };

void main() {
    coopmat<ELEMENT, gl_ScopeSubgroup, frag_m, frag_k, gl_MatrixUseA> a[2];
    coopmat<ELEMENT, gl_ScopeSubgroup, frag_k, frag_n, gl_MatrixUseB> b[2];
    coopmat<SUM, gl_ScopeSubgroup, frag_m, frag_n, gl_MatrixUseAccumulator> c[4];
    [[unroll]] for (uint i = 0; i < 2u; i++) {
        coopMatLoad(a[i], source, i * frag_m * frag_k, frag_k, gl_CooperativeMatrixLayoutRowMajor);
        coopMatLoad(b[i], source, (2u + i) * frag_n * frag_k, frag_n, gl_CooperativeMatrixLayoutRowMajor);
    }
    [[unroll]] for (uint i = 0; i < 4u; i++)
        c[i] = coopmat<SUM, gl_ScopeSubgroup, frag_m, frag_n, gl_MatrixUseAccumulator>(SUM(i));
    [[dont_unroll]] for (uint r = 0; r < push.n_rounds; r++) {
        [[unroll]] for (uint k = 0; k < 4u; k++) {
            [[unroll]] for (uint i = 0; i < 4u; i++) c[i] = coopMatMulAdd(a[i % 2u], b[i / 2u], c[i]);
        }
    }
    c[0] = c[0] + c[1] + c[2] + c[3];
    if (push.n_rounds == 0u) coopMatStore(c[0], result, 0, frag_n, gl_CooperativeMatrixLayoutRowMajor);
}
