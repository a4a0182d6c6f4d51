// Eight elements as f16, rounded to nearest: packHalf2x16 truncates on RADV.
uvec4 rounded_halves(vec4 lo, vec4 hi) {
    return uvec4(packFloat2x16(f16vec2(lo.xy)), packFloat2x16(f16vec2(lo.zw)), packFloat2x16(f16vec2(hi.xy)), packFloat2x16(f16vec2(hi.zw)));
}
