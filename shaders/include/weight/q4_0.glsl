// Q4_0: value = d * (code - 8), 32 elements a block.
// Codes: 16 bytes a row and block, [strip][block][16 rows]; element 8i + 2j is nibble j of word i, 8i + 2j + 1 nibble
// j + 4, so that one mask gives a pair of halves, and (word & 0x0f0f0f0f) the first word of the packed int8 order.
// Scales: f16 [strip][block][16 rows].

void weight_decode(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out float w[32]) {
    const uvec4 q = AddrU32x4(codes + tile * 256).v[row];
    const float d = float(AddrF16(scales + tile * 32).v[row]);
    [[unroll]] for (uint i = 0; i < 4; i++) {
        [[unroll]] for (uint j = 0; j < 4; j++) {
            w[8 * i + 2 * j] = d * (float((q[i] >> (4 * j)) & 15u) - 8.0);
            w[8 * i + 2 * j + 1] = d * (float((q[i] >> (4 * j + 16)) & 15u) - 8.0);
        }
    }
}

// value = d * c + m for the int8 codes c in packed order (quantize_act.comp).
void weight_decode_int8(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out uint c[8], out float d, out float m) {
    const uvec4 q = AddrU32x4(codes + tile * 256).v[row];
    d = float(AddrF16(scales + tile * 32).v[row]);
    m = -8.0 * d;
    [[unroll]] for (uint i = 0; i < 4; i++) {
        c[2 * i] = q[i] & 0x0f0f0f0fu;
        c[2 * i + 1] = (q[i] >> 4) & 0x0f0f0f0fu;
    }
}

#define WEIGHT_HALVES_OWN
// Pairs of halves (weight_halves.glsl): nibbles j and j + 4 of a word are neighbours.
void weight_decode_halves(uint64_t codes, uint64_t scales, uint64_t tile, uint row, out f16vec2 h[16]) {
    const uvec4 q = AddrU32x4(codes + tile * 256).v[row];
    const f16vec2 d = f16vec2(AddrF16(scales + tile * 32).v[row]);
    [[unroll]] for (uint i = 0; i < 4; i++) {
        [[unroll]] for (uint j = 0; j < 4; j++)
            h[4 * i + j] = (unpackFloat2x16(((q[i] >> (4 * j)) & 0x000f000fu) | 0x64006400u) - f16vec2(1032.0hf)) * d;
    }
}

// GGUF block: f16 d, then 16 bytes whose low nibbles are elements 0..15 and high nibbles 16..31.
void weight_repack(uint64_t source, uint64_t block, uint64_t codes, uint64_t scales, uint64_t tile, uint row, bool is_padding) {
    uvec4 q = uvec4(0x88888888u);
    uint d = 0;
    if (!is_padding) {
        AddrU16 from = AddrU16(source + block * 18);
        d = uint(from.v[0]);
        uint bytes[16];
        [[unroll]] for (uint i = 0; i < 8; i++) {
            const uint two = uint(from.v[1 + i]);
            bytes[2 * i] = two & 255u;
            bytes[2 * i + 1] = two >> 8;
        }
        q = uvec4(0);
        [[unroll]] for (uint e = 0; e < 32; e++) {
            const uint nibble = e < 16 ? bytes[e] & 15u : bytes[e - 16] >> 4;
            q[e / 8] |= nibble << (4 * ((e % 8) / 2) + 16 * (e % 2));
        }
    }
    AddrU32x4(codes + tile * 256).v[row] = q;
    AddrU16(scales + tile * 32).v[row] = uint16_t(d);
}
