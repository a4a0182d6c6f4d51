// What the includes of quantised weights share: the order of codes in words, planes of 1, 2 and 4 bits, granules of a
// tile. A tile is 16 rows of one block (or super-block: 8 consecutive blocks, one tile).
#ifndef VKINFER_WEIGHT_CODES
#define VKINFER_WEIGHT_CODES

// 32 codes as bytes of eight words in the order of the packed dot product (matvec_loop.glsl): a pair of words holds 8
// elements, bytes of the first (0, 4, 1, 5), of the second (2, 6, 3, 7). Planes narrower than a byte interleave these words,
// so that unpacking is one shift and one mask for four codes.
uint packed_word(uint e) { return 2u * (e >> 3) + ((e >> 1) & 1u); }
uint packed_shift(uint e) { return 16u * (e & 1u) + 8u * ((e >> 2) & 1u); }

void put_code(inout uint c[8], uint e, uint code) { c[packed_word(e)] |= code << packed_shift(e); }
float code_at(uint c[8], uint e) { return float((c[packed_word(e)] >> packed_shift(e)) & 255u); }
float signed_code_at(uint c[8], uint e) { return float(bitfieldExtract(int(c[packed_word(e)]), int(packed_shift(e)), 8)); }

uvec4 pack_4bit(uint c[8]) {
    uvec4 q;
    [[unroll]] for (uint i = 0; i < 4; i++) q[i] = c[2 * i] | c[2 * i + 1] << 4;
    return q;
}
void unpack_4bit(uvec4 q, out uint c[8]) {
    [[unroll]] for (uint i = 0; i < 8; i++) c[i] = (q[i / 2] >> (4 * (i % 2))) & 0x0f0f0f0fu;
}
uvec2 pack_2bit(uint c[8]) {
    uvec2 q = uvec2(0);
    [[unroll]] for (uint i = 0; i < 8; i++) q[i / 4] |= c[i] << (2 * (i % 4));
    return q;
}
void unpack_2bit(uvec2 q, out uint c[8]) {
    [[unroll]] for (uint i = 0; i < 8; i++) c[i] = (q[i / 4] >> (2 * (i % 4))) & 0x03030303u;
}
// The two bits of word i of unpack_2bit, or the one of unpack_1bit, above four bits of a code.
uint two_above(uvec2 q, uint i) {
    return (i % 4 < 2 ? q[i / 4] << (4 - 2 * (i % 4)) : q[i / 4] >> (2 * (i % 4) - 4)) & 0x30303030u;
}
uint one_above(uint q, uint i) { return (i < 4 ? q << (4 - i) : q >> (i - 4)) & 0x10101010u; }
uint pack_1bit(uint c[8]) {
    uint q = 0;
    [[unroll]] for (uint i = 0; i < 8; i++) q |= c[i] << i;
    return q;
}
void unpack_1bit(uint q, out uint c[8]) {
    [[unroll]] for (uint i = 0; i < 8; i++) c[i] = (q >> i) & 0x01010101u;
}

// Where a tile is, in two parts: what is the same for all lanes of a subgroup when `tile` is, which scalar registers hold then, and
// what is a lane's own. A lane may be at the block after `tile` (gemm_direct.glsl), in the same super-block.
uint lane_blocks = 0u; // 1 then
struct Tile {
    uint64_t at;
    uint own; // bytes from there on
};
Tile tile_at(uint64_t plane, uint64_t tile, uint tile_bytes) { return Tile(plane + tile * tile_bytes, lane_blocks * tile_bytes); }
Tile super_tile_at(uint64_t plane, uint64_t tile, uint tile_bytes) { return Tile(plane + tile * tile_bytes, 0u); }
uint own_block(uint64_t tile, uint mask) { return (uint(tile) & mask) + lane_blocks; }

// Elements of a tile from a byte on.
uint load_u8(Tile tile, uint from, uint i) { return uint(AddrU8(tile.at + from + uint64_t(tile.own + i)).v[0]); }
uint load_u16(Tile tile, uint from, uint i) { return uint(AddrU16(tile.at + from + uint64_t(tile.own + i * 2u)).v[0]); }
float16_t load_f16(Tile tile, uint from, uint i) { return AddrF16(tile.at + from + uint64_t(tile.own + i * 2u)).v[0]; }
uint load_u32(Tile tile, uint from, uint i) { return AddrU32(tile.at + from + uint64_t(tile.own + i * 4u)).v[0]; }
uvec2 load_u32x2(Tile tile, uint from, uint i) { return AddrU32x2(tile.at + from + uint64_t(tile.own + i * 8u)).v[0]; }

// A row's 16-byte granules, and the granules, halves and quarters of granules that follow the first for each block b.
uvec4 load_granule(Tile tile, uint granule, uint row) {
    return AddrU32x4(tile.at + granule * 256u + uint64_t(tile.own + row * 16u)).v[0];
}
uvec4 load_block_granule(Tile tile, uint first, uint b, uint row) {
    return AddrU32x4(tile.at + uint64_t(b - lane_blocks) * 256u + first * 256u + uint64_t(lane_blocks * 256u + row * 16u)).v[0];
}
uvec2 load_block_half(Tile tile, uint first, uint b, uint row) {
    const uint shared_half = b - lane_blocks;
    return AddrU32x2(tile.at + uint64_t((shared_half >> 1) * 32u + (shared_half & 1u)) * 8u + first * 128u +
                     uint64_t(lane_blocks * 8u + row * 16u)).v[0];
}
uint load_block_quarter(Tile tile, uint first, uint b, uint row) {
    const uint shared_quarter = b - lane_blocks;
    return AddrU32(tile.at + uint64_t((shared_quarter >> 2) * 64u + (shared_quarter & 3u)) * 4u + first * 64u +
                   uint64_t(lane_blocks * 4u + row * 16u)).v[0];
}
void store_granule(uint64_t tile, uint granule, uint row, uvec4 q) { AddrU32x4(tile).v[granule * 16 + row] = q; }
void store_half(uint64_t tile, uint half_granule, uint row, uvec2 q) {
    AddrU32x2(tile).v[((half_granule >> 1) * 16 + row) * 2 + (half_granule & 1u)] = q;
}
void store_quarter(uint64_t tile, uint quarter, uint row, uint q) {
    AddrU32(tile).v[((quarter >> 2) * 16 + row) * 4 + (quarter & 3u)] = q;
}

#endif
