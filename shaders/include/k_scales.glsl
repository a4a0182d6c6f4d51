// Scale and minimum of block b (0..7) of a Q4_K or Q5_K super-block from its header: f16 d, f16 dmin, eight 6-bit scales and
// eight 6-bit minimums in 12 bytes, of which those of blocks 4..7 lie in the top bits of the first eight and in the last four.
// Both as halves of a word. Masks instead of choices: those of a uniform block become branches, and what follows would wait there.
#ifndef VKINFER_K_SCALES
#define VKINFER_K_SCALES

uint k_scale_min_codes(uvec4 header, uint b) {
    const uint shift = 8u * (b & 3u);
    const bool is_low = b - lane_blocks < 4u; // the same for all lanes where b is but for lane_blocks
    const uint lo_mask = is_low ? 0x003f003fu : 0u, hi_mask = is_low ? 0u : 0x000f000fu, top_mask = is_low ? 0u : 0x00300030u;
    const uint lo = ((header.y >> shift) & 0xffffu) | (header.z >> shift) << 16;
    const uint two = bitfieldExtract(header.w, int(shift), 8), hi = two | two << 12;
    return (lo & lo_mask) | (hi & hi_mask) | ((lo >> 2) & top_mask);
}

void k_scale_min(uvec4 header, uint b, out float d, out float m) {
    const uint code = k_scale_min_codes(header, b);
    const vec2 pair = unpackHalf2x16(header.x);
    d = pair.x * float(code & 0xffffu);
    m = -(pair.y * float(code >> 16));
}

// Scale and minimum as halves, rounded as the products of k_scale_min would be.
f16vec2 k_scale_min_halves(uvec4 header, uint b) {
    return unpackFloat2x16(header.x) * (unpackFloat2x16(k_scale_min_codes(header, b) | 0x64006400u) - f16vec2(1024.0hf));
}
#endif
