// The end of a product with few columns whose K the subgroups of a workgroup share: the sums of all of them, in the first.
// The includer has the constants n_splits, lanes, n_acc, n_columns and is_normed.
shared float partial[n_splits > 1u ? (n_splits - 1u) * n_acc * lanes : 1u];
shared float split_squares[n_splits > 1u && is_normed != 0 ? n_splits * n_columns : 1u];

// Whether this subgroup has the sums now, of acc and of each column's squares.
bool join_splits(uint lane, uint split, inout float acc[n_acc], inout float squares[n_columns]) {
    if (is_normed != 0) {
        [[unroll]] for (uint n = 0; n < n_columns; n++) squares[n] = subgroupAdd(squares[n]);
    }
    if (n_splits > 1u) {
        if (split > 0) {
            [[unroll]] for (uint i = 0; i < n_acc; i++) partial[((split - 1) * n_acc + i) * lanes + lane] = acc[i];
            if (is_normed != 0 && lane == 0) {
                [[unroll]] for (uint n = 0; n < n_columns; n++) split_squares[split * n_columns + n] = squares[n];
            }
        }
        barrier();
        if (split > 0) return false;
        for (uint s = 0; s + 1 < n_splits; s++) {
            [[unroll]] for (uint i = 0; i < n_acc; i++) acc[i] += partial[(s * n_acc + i) * lanes + lane];
            if (is_normed != 0) {
                [[unroll]] for (uint n = 0; n < n_columns; n++) squares[n] += split_squares[(s + 1) * n_columns + n];
            }
        }
    }
    return true;
}
