#version 460
// GGUF rows -> tiles of 16 rows x 32 elements (include/weight/<type>.glsl), once at load.
// One invocation a row and block; rows beyond n_rows become zeros. `source` holds the rows of strips
// first_strip .. first_strip + n_strips - 1 as they stand in the file.
#include "common.glsl"
#include "repack.gen.glsl"
#include "weight.glsl"

layout(local_size_x_id = 0) in;

void main() {
    const uint64_t index = uint64_t(gl_WorkGroupID.y) * gl_NumWorkGroups.x * local_size + gl_GlobalInvocationID.x;
    if (index >= uint64_t(push.n_strips) * kStripRows * push.n_blocks) return;
    const uint row = uint(index % kStripRows);
    const uint64_t tile = index / kStripRows; // strip-major: tile = strip * n_blocks + block
    const uint strip = uint(tile / push.n_blocks);
    const uint block = uint(tile % push.n_blocks);
    const uint source_row = strip * kStripRows + row;
    const bool is_padding = push.first_strip * kStripRows + source_row >= push.n_rows;
    weight_repack(push.source, uint64_t(source_row) * push.n_blocks + block, push.codes, push.scales,
                  uint64_t(push.first_strip) * push.n_blocks + tile, row, is_padding);
}
