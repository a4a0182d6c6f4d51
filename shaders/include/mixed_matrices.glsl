// Up to three matrices of different types one above the other, for matvec_mixed.comp and gemm_mixed.comp: a workgroup has rows of one.
// The includer has push.{codes, scales, table, n_rows}_{0, 1, 2} and constants type_{0, 1, 2}; a matrix that is not there has no rows and
// the type of the last one.
uint64_t own_codes, own_scales;
uint own_type, own_rows;
uint own_first_row; // of the matrix, among all rows
uint own_group;     // this workgroup, among those of the matrix
#define WEIGHT_CODES own_codes
#define WEIGHT_SCALES own_scales

// Whether the workgroup has rows of the matrix behind those that were asked for before.
bool is_own(uint group_rows, uint64_t codes, uint64_t scales, uint64_t table, uint type, uint n_rows) {
    own_first_row += own_rows;
    own_codes = codes;
    own_scales = scales;
    weight_table = table;
    own_type = type;
    own_rows = n_rows;
    const uint n_groups_of_it = (n_rows + group_rows - 1u) / group_rows;
    if (own_group < n_groups_of_it) return true;
    own_group -= n_groups_of_it;
    return false;
}

// Workgroups have `group_rows` rows each, of one matrix.
void find_own_matrix(uint group_rows) {
    own_group = gl_WorkGroupID.x;
    own_first_row = own_rows = 0u;
    if (is_own(group_rows, push.codes_0, push.scales_0, push.table_0, type_0, push.n_rows_0)) return;
    if (is_own(group_rows, push.codes_1, push.scales_1, push.table_1, type_1, push.n_rows_1)) return;
    is_own(group_rows, push.codes_2, push.scales_2, push.table_2, type_2, push.n_rows_2);
}

// Calls `product` with each type that there is, of which the workgroup's own runs.
#define FOR_OWN_TYPE(product)                                                        \
    {                                                                                \
        if (own_type == type_0) {                                                    \
            product(type_0)                                                          \
        } else if (type_2 == type_0 || type_2 == type_1 || own_type == type_1) {     \
            product(type_1)                                                          \
        } else {                                                                     \
            product(type_2)                                                          \
        }                                                                            \
    }
