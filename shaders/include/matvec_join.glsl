// The end of a product with few columns whose K the subgroups of a workgroup share: the sums of all of them. Columns go through
// shared memory in groups of at most 8, each added up by a subgroup of its own: the memory of 32 columns would cost waves.
// The includer has the constants n_splits, lanes, n_acc, n_columns and is_normed.
#ifdef IS_PAIR // matvec_pair.glsl
#define n_sums n_pair_acc
#else
#define n_sums n_acc // by name: arrays of two constants are of two types, whatever their values
#endif
const uint group_columns = n_columns < 8u ? n_columns : 8u;
const uint group_acc = n_sums / n_columns * group_columns;
const bool has_squares = is_normed != 0 && n_columns <= 8u; // of more: normed_columns.glsl
shared float partial[n_splits > 1u ? (n_splits - 1u) * group_acc * lanes : 1u];
shared float split_squares[n_splits > 1u && has_squares ? n_splits * n_columns : 1u];

// Whether a subgroup has the sums of column n.
bool has_sums(uint n, uint split) { return n_splits == 1u || n / group_columns % n_splits == split; }

// By the whole workgroup; whether this subgroup has sums now, of acc and, of up to 8 columns, of each one's squares. Always in the
// order of the subgroups, so that a column's place does not matter to its sum.
bool join_splits(uint lane, uint split, inout float acc[n_sums], inout float squares[n_columns]) {
    if (has_squares) {
        [[unroll]] for (uint n = 0; n < n_columns; n++) {
            squares[n] = subgroupAdd(squares[n]);
            if (n_splits > 1u && lane == 0) split_squares[split * n_columns + n] = squares[n];
        }
    }
    if (n_splits == 1u) return true;
    [[unroll]] for (uint first = 0; first < n_columns; first += group_columns) {
        const uint owner = first / group_columns % n_splits;
        if (first > 0u) barrier(); // the sums before have been read
        if (split != owner) {
            const uint at = (split < owner ? split : split - 1u) * group_acc;
            [[unroll]] for (uint i = 0; i < group_acc; i++)
                partial[(at + i) * lanes + lane] = acc[i / group_columns * n_columns + first + i % group_columns];
        }
        barrier();
        if (split != owner) continue;
        [[unroll]] for (uint i = 0; i < group_acc; i++) {
            const uint mine = i / group_columns * n_columns + first + i % group_columns;
            float sum = owner == 0u ? acc[mine] : partial[i * lanes + lane];
            [[unroll]] for (uint s = 1; s < n_splits; s++)
                sum += s == owner ? acc[mine] : partial[((s < owner ? s : s - 1u) * group_acc + i) * lanes + lane];
            acc[mine] = sum;
        }
    }
    if (split * group_columns >= n_columns) return false;
    if (has_squares) {
        for (uint s = 1; s < n_splits; s++) {
            [[unroll]] for (uint n = 0; n < n_columns; n++) squares[n] += split_squares[s * n_columns + n];
        }
    }
    return true;
}
