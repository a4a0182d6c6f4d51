// Both loops of matvec_loop.glsl for weights whose type is chosen in the kernel. The includer has the constant int8.
#include "matvec_loop.glsl"
#include "matvec_loop_int8.glsl"

// accumulate() of the loop that the type takes; `type` is constant, so that the others vanish.
#define ACCUMULATE(type, strip_tile, strip_row, x_at, n_live, split, acc)                           \
    {                                                                                               \
        weight_type = type;                                                                         \
        if (int8 != 0 && weight_has_int8(type)) {                                                   \
            accumulate_int8(strip_tile, strip_row, x_at, n_live, split, n_splits, push.n_blocks, acc); \
        } else {                                                                                    \
            accumulate(strip_tile, strip_row, x_at, n_live, split, n_splits, push.n_blocks, acc);   \
        }                                                                                           \
    }
