// The loop of a matrix product with few columns, for matvec.comp and the kernels of experts. A lane owns rows_per_lane rows
// of n_weights matrices (gate and up) and n_columns columns.
// The includer declares push.codes and push.scales, the buffer x of vec4, and the constants lanes, n_splits, rows_per_lane,
// n_columns (a power of two, as lanes is) and n_weights. A subgroup's lanes are all of `lanes`. COLUMN_AT(n), where it has that, is
// x_at[n] for an n that differs from lane to lane.
#ifndef WEIGHT_CODES // experts: expert_home.glsl
#define WEIGHT_CODES push.codes
#define WEIGHT_SCALES push.scales
#endif
const uint n_decoded = n_weights * rows_per_lane; // weights of a block that a lane decodes
const uint n_acc = n_decoded * n_columns;

#if ACT_Q8
#include "matvec_loop_int8.glsl"
#define accumulate accumulate_int8
#else
#include "matvec_loop_f32.glsl"
#endif
