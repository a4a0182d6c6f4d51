// The columns of a workgroup of a router's product: tokens, of which those beyond the last repeat it.
uint column_of(uint n) { return min(gl_WorkGroupID.y * n_columns + n, min(counts[kCountTokens], max_tokens) - 1u); }
uint part_of_column(uint n) { return push.parts_at + column_of(n) * push.n_parts; }
#define COLUMN_AT(n) (column_of(n) * (push.x_stride / 4u))
