// The product of a router with few tokens, for kernels that route behind it: logits[t, e] = W[e, :] . x[t, :] (+ bias[e]).
// A lane owns n_router_rows rows and n_columns columns, and subgroups share K, as in matvec.comp.
// The includer has the buffers counts, x, parts and logits, push.{bias, n_rows, n_blocks, eps, n_parts},
// router_columns.glsl, matvec_join.glsl, whose sums are n_router_rows times n_columns, and router_accumulate(), which adds W . x over the blocks of a subgroup.

// Where live columns begin in x, in vec4, and the subgroup's share of their squares where x is still to be normalised.
void begin_columns(out uint x_at[n_columns], out float squares[n_columns]) {
    uint part_at[n_columns];
    [[unroll]] for (uint n = 0; n < n_columns; n++) {
        x_at[n] = COLUMN_AT(n);
        part_at[n] = part_of_column(n);
    }
    if (has_squares) NORMED_SHARES(parts, part_at, push.n_parts, n_columns, squares)
}

// By the whole workgroup, after a product: whether this subgroup has sums now (matvec_join.glsl).
bool end_columns(inout float acc[n_sums], inout float squares[n_columns]) {
    if (scales_are_shared) share_scales();
    return join_splits(gl_SubgroupInvocationID, gl_SubgroupID, acc, squares);
}
float column_scale(uint n, float squares[n_columns]) {
    if (scales_are_shared) return column_scales[n];
    return has_squares ? normed_scale(squares[n], push.n_blocks * kBlock, push.eps) : 1.0;
}

void multiply_router(uint group, uint first_column, uint n_tokens) {
    const uint n_strips = (push.n_rows + kStripRows - 1) / kStripRows;
    const uint lane = gl_SubgroupInvocationID, split = gl_SubgroupID;
    const uint first_row = group * lanes * n_router_rows;
    uint x_at[n_columns];
    float squares[n_columns];
    begin_columns(x_at, squares);
    float acc[n_sums];
    [[unroll]] for (uint i = 0; i < n_sums; i++) acc[i] = 0.0;
    uint64_t strip_tile[n_router_rows];
    uint strip_row[n_router_rows];
    [[unroll]] for (uint r = 0; r < n_router_rows; r++) {
        const uint row = first_row + r * lanes + lane;
        strip_tile[r] = uint64_t(min(row / kStripRows, n_strips - 1u)) * push.n_blocks;
        strip_row[r] = row % kStripRows;
    }
    router_accumulate(strip_tile, strip_row, x_at, split, acc);
    if (!end_columns(acc, squares)) return;
    [[unroll]] for (uint r = 0; r < n_router_rows; r++) {
        const uint row = first_row + r * lanes + lane;
        if (row >= push.n_rows) break;
        const float bias = has_router_bias != 0 ? AddrF32(push.bias).v[row] : 0.0;
        [[unroll]] for (uint n = 0; n < n_columns; n++) {
            if (first_column + n >= n_tokens) break;
            if (!has_sums(n, split)) continue;
            logits[(first_column + n) * LOGITS_STRIDE + row] = fma(acc[r * n_columns + n], column_scale(n, squares), bias);
        }
    }
}
