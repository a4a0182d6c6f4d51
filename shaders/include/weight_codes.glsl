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
uint pack_1bit(uint c[8]) {
    uint q = 0;
    [[unroll]] for (uint i = 0; i < 8; i++) q |= c[i] << i;
    return q;
}
void unpack_1bit(uint q, out uint c[8]) {
    [[unroll]] for (uint i = 0; i < 8; i++) c[i] = (q >> i) & 0x01010101u;
}

// Addresses of a row's 16-byte granules in a tile, and of the halves and quarters of granules.
uint64_t tile_at(uint64_t plane, uint64_t tile, uint tile_bytes) { return plane + tile * tile_bytes; }
uvec4 load_granule(uint64_t tile, uint granule, uint row) { return AddrU32x4(tile).v[granule * 16 + row]; }
uvec2 load_half(uint64_t tile, uint half_granule, uint row) {
    return AddrU32x2(tile).v[((half_granule >> 1) * 16 + row) * 2 + (half_granule & 1u)];
}
uint load_quarter(uint64_t tile, uint quarter, uint row) {
    return AddrU32(tile).v[((quarter >> 2) * 16 + row) * 4 + (quarter & 3u)];
}
void store_granule(uint64_t tile, uint granule, uint row, uvec4 q) { AddrU32x4(tile).v[granule * 16 + row] = q; }
void store_half(uint64_t tile, uint half_granule, uint row, uvec2 q) {
    AddrU32x2(tile).v[((half_granule >> 1) * 16 + row) * 2 + (half_granule & 1u)] = q;
}
void store_quarter(uint64_t tile, uint quarter, uint row, uint q) {
    AddrU32(tile).v[((quarter >> 2) * 16 + row) * 4 + (quarter & 3u)] = q;
}

#endif
