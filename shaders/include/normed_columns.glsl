// Scales of columns whose norm is folded in (normed.glsl), for a product of so many columns that a register for each of them would
// cost waves: an invocation adds up parts of one column, and the columns' scales wait in shared memory.
// The includer declares the buffer parts, the constants n_columns, n_splits, lanes, is_normed, and
// `uint part_of_column(uint n)`: where the parts of a column of this workgroup begin, of a live one for every n.
const bool scales_are_shared = is_normed != 0 && n_columns > 8u;
const uint n_square_groups = local_size >= n_columns ? local_size / n_columns : 1u; // invocations with one column
shared float column_scales[scales_are_shared ? n_square_groups * n_columns : 1u];

void workgroup_barrier() {
    if (n_splits > 1u) {
        barrier();
    } else {
        subgroupMemoryBarrierShared();
        subgroupBarrier();
    }
}

// By the whole workgroup.
void share_scales() {
    const uint group = gl_LocalInvocationIndex / n_columns;
    for (uint n = gl_LocalInvocationIndex % n_columns; n < n_columns && group < n_square_groups; n += local_size) {
        const uint from = part_of_column(n);
        float sum = 0.0;
        for (uint i = group; i < push.n_parts; i += 8u * n_square_groups) {
            float part[8]; // on their way together
            [[unroll]] for (uint j = 0; j < 8u; j++) part[j] = parts[from + min(i + j * n_square_groups, push.n_parts - 1u)];
            [[unroll]] for (uint j = 0; j < 8u; j++) sum += i + j * n_square_groups < push.n_parts ? part[j] : 0.0;
        }
        column_scales[group * n_columns + n] = sum;
    }
    workgroup_barrier();
    for (uint n = gl_LocalInvocationIndex; n < n_columns; n += local_size) {
        float sum = 0.0;
        [[unroll]] for (uint g = 0; g < n_square_groups; g++) sum += column_scales[g * n_columns + n];
        column_scales[n] = normed_scale(sum, push.n_blocks * kBlock, push.eps);
    }
    workgroup_barrier();
}
