// TQ2_0: value = d * (code - 1), super-blocks of 256.
// Codes: [strip][super-block][4 granules][16 rows], half a granule a block. Scales: f16 [strip][super-block][16 rows].
#include "weight_codes.glsl"
#define WEIGHT_CODES_SIGNED 0

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const Tile code_tile = super_tile_at(codes, tile >> 3, 1024u);
    const Tile scale_tile = super_tile_at(scales, tile >> 3, 32u);
    const uint b = own_block(tile, 7u);
    unpack_2bit(load_block_half(code_tile, 0, b, row), c);
    d = float(load_f16(scale_tile, 0, row));
    m = -d;
}

#include "weight_from_int8.glsl"

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: 64 bytes of codes (two bits of a byte for each block of its half), f16 d.
#define SOURCE_BYTES 66
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    uint c[8];
    [[unroll]] for (uint half_block = 0; half_block < 2; half_block++) {
        read_ordered(s, 32 * half_block, c);
        [[unroll]] for (uint j = 0; j < 4; j++) store_half(code_tile, 4 * half_block + j, row, pick_2bit(c, j));
    }
    AddrU16(scale_tile).v[row] = read_u16(s, 64);
}
#endif
