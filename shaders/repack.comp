#version 460
// GGUF rows -> tiles of 16 rows x 32 elements (include/weight/<type>.glsl), once at load.
// Grid: rows and blocks of a strip x strips. One invocation a row and block; rows beyond n_rows become zeros. `source` holds the rows of strips
// first_strip .. first_strip + n_strips - 1 as they stand in the file.
#include "common.glsl"
#include "repack.gen.glsl"
#define WEIGHT_REPACK_ONLY
#include "weight.glsl"

layout(local_size_x_id = 0) in;

void main() {
    const uint item = gl_GlobalInvocationID.x; // of a strip: block * 16 + row
    if (item >= push.n_blocks * kStripRows) return;
    const uint row = item % kStripRows;
    const uint block = item / kStripRows;
    const uint strip = gl_WorkGroupID.y;
    const uint source_row = strip * kStripRows + row;
    const bool is_padding = push.first_strip * kStripRows + source_row >= push.n_rows;
    weight_repack(push.source, uint64_t(source_row) * push.n_blocks + block, push.codes, push.scales,
                  uint64_t(push.first_strip + strip) * push.n_blocks + block, row, is_padding);
}
