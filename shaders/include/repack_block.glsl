// How weight_repack() of a type reads a GGUF block of SOURCE_BYTES bytes and orders its codes. Blocks start at any byte: words
// that hold them are read whole and shifted, since loads of bytes cost as much as loads of words, on CPUs far more. Up to 4
// bytes beyond a block are read.
#include "weight_codes.glsl"

struct Source {
    uint64_t at; // a multiple of 4 at or before the block
    uint shift;  // bits of the word at `at` before the block
    uint keep;   // ~0; 0 for a row that pads a strip: blocks of zeros stand for zeros in every type
};

Source block_at(uint64_t address, bool is_padding) {
#if SOURCE_BYTES % 4 == 0
    return Source(address, 0u, is_padding ? 0u : ~0u);
#else
    return Source(address & ~uint64_t(3), 8u * (uint(address) & 3u), is_padding ? 0u : ~0u);
#endif
}

uint source_word(Source s, uint i) { return AddrU32(s.at).v[i] & s.keep; }

// Words of bytes offset .. offset + 4 * n - 1, n at most 8.
void read_words(Source s, uint offset, uint n, out uint w[8]) {
    const uint first = offset / 4u, part = 8u * (offset % 4u);
    uint before = source_word(s, first);
    [[unroll]] for (uint i = 0; i < n; i++) {
#if SOURCE_BYTES % 4 == 0
        const uint next = part == 0 && i + 1 == n ? 0 : source_word(s, first + i + 1);
        w[i] = part == 0 ? before : before >> part | next << (32 - part);
#elif SOURCE_BYTES % 2 == 0
        const uint next = source_word(s, first + i + 1);
        const uint middle = before >> 16 | next << 16;
        w[i] = part == 0 ? (s.shift == 0 ? before : middle) : (s.shift == 0 ? middle : next);
#else // MXFP4's codes begin at byte 1
        const uint next = source_word(s, first + i + 1);
        w[i] = s.shift == 24 ? next : before >> (s.shift + 8) | next << (24 - s.shift);
#endif
        before = next;
    }
}
uvec4 read_granule(Source s, uint offset) {
    uint w[8];
    read_words(s, offset, 4, w);
    return uvec4(w[0], w[1], w[2], w[3]);
}
uvec2 read_pair(Source s, uint offset) {
    uint w[8];
    read_words(s, offset, 2, w);
    return uvec2(w[0], w[1]);
}
uint read_u32(Source s, uint offset) {
    uint w[8];
    read_words(s, offset, 1, w);
    return w[0];
}
// An offset that no word boundary cuts.
uint read_bits(Source s, uint offset) {
    const uint from = offset + s.shift / 8u;
    return source_word(s, from / 4u) >> (8u * (from % 4u));
}
uint16_t read_u16(Source s, uint offset) { return uint16_t(read_bits(s, offset)); }

// Bytes of eight elements to their pair of words.
uint swap_middle_bytes(uint x) {
    const uint t = (x ^ (x >> 8)) & 0x0000ff00u;
    return x ^ t ^ t << 8;
}
void order_eight(uint lo, uint hi, out uint first, out uint second) {
    first = swap_middle_bytes((lo & 0xffffu) | hi << 16);
    second = swap_middle_bytes(lo >> 16 | (hi & 0xffff0000u));
}
// 32 bytes of the block in packed order.
void read_ordered(Source s, uint offset, out uint c[8]) {
    uint w[8];
    read_words(s, offset, 8, w);
    [[unroll]] for (uint i = 0; i < 8; i += 2) order_eight(w[i], w[i + 1], c[i], c[i + 1]);
}
// Bits 4 * high .. 4 * high + 3 of 32 ordered bytes, packed.
uvec4 pick_4bit(uint c[8], uint high) {
    uvec4 q;
    [[unroll]] for (uint i = 0; i < 4; i++) {
        q[i] = high == 0 ? (c[2 * i] & 0x0f0f0f0fu) | (c[2 * i + 1] & 0x0f0f0f0fu) << 4
                         : ((c[2 * i] >> 4) & 0x0f0f0f0fu) | (c[2 * i + 1] & 0xf0f0f0f0u);
    }
    return q;
}
// The nibbles of a K super-block: 32 bytes for each two blocks, the even one low, to a granule a block.
void store_paired_nibbles(Source s, uint offset, uint64_t code_tile, uint row) {
    uint c[8];
    [[unroll]] for (uint b = 0; b < 8; b += 2) {
        read_ordered(s, offset + 16 * b, c);
        store_granule(code_tile, b, row, pick_4bit(c, 0));
        store_granule(code_tile, b + 1, row, pick_4bit(c, 1));
    }
}
// Bits 2 * part and 2 * part + 1.
uvec2 pick_2bit(uint c[8], uint part) {
    uint low[8];
    [[unroll]] for (uint i = 0; i < 8; i++) low[i] = (c[i] >> (2 * part)) & 0x03030303u;
    return pack_2bit(low);
}
uint pick_1bit(uint c[8], uint bit) {
    uint low[8];
    [[unroll]] for (uint i = 0; i < 8; i++) low[i] = (c[i] >> bit) & 0x01010101u;
    return pack_1bit(low);
}
// The common form of 32 nibbles: byte j holds element j (low) and j + 16 (high).
uvec4 read_nibbles(Source s, uint offset) {
    const uvec4 w = read_granule(s, offset);
    uint c[4];
    order_eight(w[0], w[1], c[0], c[1]);
    order_eight(w[2], w[3], c[2], c[3]);
    return uvec4((c[0] & 0x0f0f0f0fu) | (c[1] & 0x0f0f0f0fu) << 4, (c[2] & 0x0f0f0f0fu) | (c[3] & 0x0f0f0f0fu) << 4,
                 ((c[0] >> 4) & 0x0f0f0f0fu) | (c[1] & 0xf0f0f0f0u), ((c[2] >> 4) & 0x0f0f0f0fu) | (c[3] & 0xf0f0f0f0u));
}

// Planes whose elements follow each other bit by bit move by swaps of index bits.
uint delta_swap(uint x, uint mask, uint distance) {
    const uint t = (x ^ (x >> distance)) & mask;
    return x ^ t ^ t << distance;
}
uint order_1bit(uint x) { // index bits 4 3 2 1 0 -> 0 2 4 3 1
    x = delta_swap(x, 0x0000aaaau, 15);
    x = delta_swap(x, 0x00f000f0u, 4);
    x = delta_swap(x, 0x0a0a0a0au, 3);
    return delta_swap(x, 0x22222222u, 1);
}
uint order_2bit(uint x) { // of 16 pairs of bits: index bits 3 2 1 0 -> 0 2 3 1
    x = delta_swap(x, 0x0000ccccu, 14);
    return delta_swap(x, 0x0c0c0c0cu, 2);
}
