// Scale and minimum of block b (0..7) of a Q4_K or Q5_K super-block from its header: f16 d, f16 dmin, eight 6-bit scales and
// eight 6-bit minimums in 12 bytes, of which those of blocks 4..7 lie in the top bits of the first eight and in the last four.
void k_scale_min(uvec4 header, uint b, out float d, out float m) {
    const uint shift = 8u * (b & 3u);
    const uint lo_scale = header.y >> shift, lo_min = header.z >> shift, hi = header.w >> shift;
    const uint scale = b < 4 ? lo_scale & 63u : (hi & 15u) | ((lo_scale >> 2) & 48u);
    const uint minimum = b < 4 ? lo_min & 63u : ((hi >> 4) & 15u) | ((lo_min >> 2) & 48u);
    const vec2 pair = unpackHalf2x16(header.x);
    d = pair.x * float(scale);
    m = -(pair.y * float(minimum));
}
