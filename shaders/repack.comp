#version 460
// GGUF rows -> tiles of 16 rows x one block of the file (include/weight/<type>.glsl), once at load.
// Grid: rows and tiles of a strip x strips. One invocation a row and block; rows beyond n_rows become zeros. `source` holds the
// rows of strips first_strip .. first_strip + n_strips - 1 as they stand in the file.
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
    const uint row = item % kStripRows;
    const uint strip = gl_WorkGroupID.y;
    const uint strip_row = push.first_strip * kStripRows;
    const uint wanted_row = strip_row + strip * kStripRows + row;
    const uint source_row = min(wanted_row, push.n_rows - 1) - strip_row; // padding reads a row that is there
    const uint64_t block = uint64_t(source_row) * n_tiles + item / kStripRows;
    const uint64_t tile = uint64_t(push.first_strip + strip) * n_tiles + item / kStripRows;
    weight_repack(block_at(push.source + block * SOURCE_BYTES, wanted_row >= push.n_rows), push.codes + tile * kTileCodeBytes,
                  push.scales + tile * kTileScaleBytes, row);
}
