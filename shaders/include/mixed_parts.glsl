// Up to three matrices of different types one above the other, for matvec_mixed.comp and gemm_mixed.comp: a workgroup has rows of one.
// The includer has push.{codes, scales, table, n_rows}_{0, 1, 2} and the types of the parts as constants; parts that are not there
// have no rows and the type of the one before.
uint64_t part_codes, part_scales;
uint part_type, part_rows;
uint part_first_row; // of the part, among all rows
uint part_group;     // this workgroup, among those of the part
#define WEIGHT_CODES part_codes
#define WEIGHT_SCALES part_scales

void find_part(uint group_rows) {
    part_codes = push.codes_0;
    part_scales = push.scales_0;
    weight_table = push.table_0;
    part_type = type_0;
    part_rows = push.n_rows_0;
    part_first_row = 0u;
    part_group = gl_WorkGroupID.x;
    uint n_groups_here = (push.n_rows_0 + group_rows - 1u) / group_rows;
    if (part_group < n_groups_here) return;
    part_group -= n_groups_here;
    part_first_row = push.n_rows_0;
    part_codes = push.codes_1;
    part_scales = push.scales_1;
    weight_table = push.table_1;
    part_type = type_1;
    part_rows = push.n_rows_1;
    n_groups_here = (push.n_rows_1 + group_rows - 1u) / group_rows;
    if (part_group < n_groups_here) return;
    part_group -= n_groups_here;
    part_first_row += push.n_rows_1;
    part_codes = push.codes_2;
    part_scales = push.scales_2;
    weight_table = push.table_2;
    part_type = type_2;
    part_rows = push.n_rows_2;
}

// Calls `product` with each type that there is, of which the workgroup's own runs.
#define FOR_PART_TYPE(product)                                                                    \
    {                                                                                             \
        if (part_type == type_0) {                                                                \
            product(type_0)                                                                       \
        } else if (type_2 == type_0 || type_2 == type_1 || part_type == type_1) {                 \
            product(type_1)                                                                       \
        } else {                                                                                  \
            product(type_2)                                                                       \
        }                                                                                         \
    }
