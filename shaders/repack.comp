#version 460
// GGUF rows -> tiles of 16 rows x one block of the file (include/weight/<type>.glsl), once at load.
// Grid: rows and tiles of a strip x strips. One invocation a row and block. `source` holds n_rows rows as they stand in the file,
// or columns of them (source_tiles is the length of a whole row); they become rows first_row .. of the matrix, and rows behind
// them that fill a strip become zeros. With is_ragged they begin or end inside of a strip whose other rows come from elsewhere.
#include "common.glsl"
#include "repack.gen.glsl"
#define WEIGHT_REPACK_ONLY
#include "weight.glsl"
#include "weight_tile.glsl"

layout(local_size_x_id = 0) in;

void main() {
    const uint n_tiles = push.n_blocks / (kTileElements / kBlock);
    const uint item = gl_GlobalInvocationID.x; // of a strip: tile * 16 + row
    // With workgroups of a strip's rows nothing is left over, and CPUs run without masks.
    if (local_size != kStripRows && item >= n_tiles * kStripRows) return;
    const uint wanted_row = gl_WorkGroupID.y * kStripRows + item % kStripRows;
    if (is_ragged != 0 && wanted_row >= push.n_rows + push.n_padding) return;
    const uint to = push.first_row + wanted_row;
    const uint source_row = min(wanted_row, push.n_rows - 1); // padding reads a row that is there
    const uint64_t block = uint64_t(source_row) * push.source_tiles + item / kStripRows;
    const uint64_t tile = uint64_t(to / kStripRows) * n_tiles + item / kStripRows;
    weight_repack(block_at(push.source + block * SOURCE_BYTES, wanted_row >= push.n_rows), push.codes + tile * kTileCodeBytes,
                  push.scales + tile * kTileScaleBytes, is_ragged != 0 ? to % kStripRows : item % kStripRows);
}
