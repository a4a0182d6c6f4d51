// RMS norm folded into the products around it. Whoever makes rows x also writes, into one buffer (kernels::NormedRows),
//   x * w          (n, n_cols): w are the norm's weights
//   sums of x^2    (n, n_parts): each of a part of the row, behind all rows
// and a product of x * w is divided by the root of the mean square at its end: no dispatch, no barrier, and nothing that the
// first weight waits for.

// squares[n]: the sum over this invocation's share of the parts that begin at part_at[n]. The first share is not used before
// the product's loop. (A loop inside of the unrolled one would keep it from being unrolled.)
#define NORMED_SHARES(parts, part_at, n_parts, n_columns, squares)                                                   \
    {                                                                                                                \
        [[unroll]] for (uint n_ = 0; n_ < n_columns; n_++) {                                                         \
            const float part_ = parts[part_at[n_] + min(gl_LocalInvocationIndex, (n_parts) - 1u)];                   \
            squares[n_] = gl_LocalInvocationIndex < (n_parts) ? part_ : 0.0;                                         \
        }                                                                                                            \
        for (uint i_ = gl_LocalInvocationIndex + local_size; i_ < (n_parts); i_ += local_size) {                     \
            [[unroll]] for (uint n_ = 0; n_ < n_columns; n_++) squares[n_] += parts[part_at[n_] + i_];               \
        }                                                                                                            \
    }

float normed_scale(float sum_of_squares, uint n_cols, float eps) { return inversesqrt(sum_of_squares / float(n_cols) + eps); }
