// The columns of a workgroup of a router's product: tokens, of which those beyond the last repeat it. Rows of x are as wide as the
// router's, parts of norms come behind max_tokens of them, and logits are as many as the router has rows.
uint column_of(uint n) { return min(gl_WorkGroupID.y * n_columns + n, min(counts[kCountTokens], max_tokens) - 1u); }
uint part_of_column(uint n) { return max_tokens * push.n_blocks * kBlock + column_of(n) * push.n_parts; }
#define COLUMN_AT(n) (column_of(n) * (push.n_blocks * (kBlock / 4u)))
#define LOGITS_STRIDE push.n_rows
