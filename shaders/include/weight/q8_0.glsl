// Q8_0: value = d * code, 32 elements a block.
// Codes: two granules of 16 bytes a row and block, [strip][block][2][16 rows]; a pair of words holds 8 elements in the
// packed int8 order: bytes of the first (0, 4, 1, 5), of the second (2, 6, 3, 7). Scales: f16 [strip][block][16 rows].

#define WEIGHT_CODES_SIGNED 1

// Bit position of element e (0..7) inside its pair of words: word (e >> 1) & 1.
uint q8_shift(uint e) { return 16u * (e & 1u) + 8u * (e >> 2); }

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    const float d = float(AddrF16(scales + tile * 32).v[row]);
    [[unroll]] for (uint g = 0; g < 2; g++) {
        const uvec4 q = AddrU32x4(codes + tile * 512).v[g * 16 + row];
        [[unroll]] for (uint e = 0; e < 16; e++) {
            const uint word = q[2 * (e / 8) + ((e >> 1) & 1)];
            w[16 * g + e] = d * float(bitfieldExtract(int(word), int(q8_shift(e % 8)), 8));
        }
    }
}

void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    d = float(AddrF16(scales + tile * 32).v[row]);
    m = 0.0;
    [[unroll]] for (uint g = 0; g < 2; g++) {
        const uvec4 q = AddrU32x4(codes + tile * 512).v[g * 16 + row];
        [[unroll]] for (uint i = 0; i < 4; i++) c[4 * g + i] = q[i];
    }
}

// GGUF block: f16 d, then 32 signed bytes.
void weight_repack(uint64_t source, uint64_t block, uint64_t codes, uint64_t scales, uint64_t tile, uint row, bool is_padding) {
    uint q[8];
    [[unroll]] for (uint i = 0; i < 8; i++) q[i] = 0;
    uint d = 0;
    if (!is_padding) {
        AddrU16 from = AddrU16(source + block * 34);
        d = uint(from.v[0]);
        [[unroll]] for (uint i = 0; i < 16; i++) {
            const uint two = uint(from.v[1 + i]);
            [[unroll]] for (uint h = 0; h < 2; h++) {
                const uint e = 2 * i + h;
                q[2 * (e / 8) + ((e >> 1) & 1)] |= ((two >> (8 * h)) & 255u) << q8_shift(e % 8);
            }
        }
    }
    AddrU32x4(codes + tile * 512).v[row] = uvec4(q[0], q[1], q[2], q[3]);
    AddrU32x4(codes + tile * 512).v[16 + row] = uvec4(q[4], q[5], q[6], q[7]);
    AddrU16(scales + tile * 32).v[row] = uint16_t(d);
}
