// Two products of different types on the same columns, gate and up, one after the other: their sums stand as those of two matrices of
// one type (matvec_loop.glsl with n_weights = 1 for each; matvec_join.glsl, included behind this, joins both).
// The includer has the constant int8.
#define IS_PAIR
#include "matvec_loop_mixed.glsl"
const uint n_pair_acc = 2u * n_acc;

// acc[which * n_acc ...] = W . x, of columns from n_live on nothing.
#define MULTIPLY_ONE(type, which, strip_tile, strip_row, x_at, n_live, split, acc)           \
    {                                                                                        \
        float one[n_acc];                                                                    \
        [[unroll]] for (uint i = 0; i < n_acc; i++) one[i] = 0.0;                            \
        ACCUMULATE(type, strip_tile, strip_row, x_at, n_live, split, one)                    \
        [[unroll]] for (uint i = 0; i < n_acc; i++) acc[which * n_acc + i] = one[i];         \
    }
