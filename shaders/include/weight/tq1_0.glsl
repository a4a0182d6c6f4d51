// TQ1_0: value = d * (digit - 1), super-blocks of 256, five ternary digits a byte.
// Codes: [strip][super-block][3 granules][16 rows]: 32 bytes whose digit b is block b (0..4), 16 bytes whose digits are halves
// of blocks 5..7, all in packed order. Scales: [strip][super-block], each 4 bytes of 16 rows with the last 16 elements, then
// f16 d of 16 rows.
#include "weight_codes.glsl"
#define WEIGHT_CODES_SIGNED 0

// Digit n of four bytes at once: the top digit of byte * 3^n modulo 256.
uint ternary_digit(uint bytes, uint n) {
    const uint power = n == 4 ? 81u : (0x1b090301u >> (8 * n)) & 255u;
    const uint even = ((bytes & 0x00ff00ffu) * power) & 0x00ff00ffu;
    const uint odd = (((bytes >> 8) & 0x00ff00ffu) * power) & 0x00ff00ffu;
    return (((even * 3u) >> 8) & 0x00ff00ffu) | ((odd * 3u) & 0xff00ff00u);
}

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const Tile code_tile = super_tile_at(codes, tile >> 3, 768u);
    const Tile scale_tile = super_tile_at(scales, tile >> 3, 96u);
    const uint b = own_block(tile, 7u);
    d = float(load_f16(scale_tile, 64, row));
    m = -d;
    if (b < 5) {
        const uvec4 lo = load_granule(code_tile, 0, row), hi = load_granule(code_tile, 1, row);
        [[unroll]] for (uint i = 0; i < 4; i++) {
            c[i] = ternary_digit(lo[i], b);
            c[4 + i] = ternary_digit(hi[i], b);
        }
        return;
    }
    const uvec4 q = load_granule(code_tile, 2, row);
    const uint first = 2 * (b - 5);
    [[unroll]] for (uint i = 0; i < 4; i++) c[i] = ternary_digit(q[i], first);
    if (b < 7) {
        [[unroll]] for (uint i = 0; i < 4; i++) c[4 + i] = ternary_digit(q[i], first + 1);
        return;
    }
    const uint last = load_u32(scale_tile, 0, row);
    [[unroll]] for (uint i = 0; i < 4; i++) c[4 + i] = 0;
    [[unroll]] for (uint n = 0; n < 4; n++) {
        const uint digits = ternary_digit(last, n);
        [[unroll]] for (uint t = 0; t < 4; t++) put_code(c, 16 + 4 * n + t, (digits >> (8 * t)) & 255u);
    }
}

#include "weight_from_int8.glsl"

#ifdef WEIGHT_REPACK_ONLY
// GGUF block: 48 bytes and 4 bytes of digits, f16 d.
#define SOURCE_BYTES 54
#include "repack_block.glsl"
void weight_repack(Source s, uint64_t code_tile, uint64_t scale_tile, uint row) {
    uint c[8];
    read_ordered(s, 0, c);
    store_granule(code_tile, 0, row, uvec4(c[0], c[1], c[2], c[3]));
    store_granule(code_tile, 1, row, uvec4(c[4], c[5], c[6], c[7]));
    const uvec4 w = read_granule(s, 32);
    order_eight(w[0], w[1], c[0], c[1]);
    order_eight(w[2], w[3], c[2], c[3]);
    store_granule(code_tile, 2, row, uvec4(c[0], c[1], c[2], c[3]));
    AddrU32(scale_tile).v[row] = read_u32(s, 48);
    AddrU16(scale_tile + 64).v[row] = read_u16(s, 52);
}
#endif
