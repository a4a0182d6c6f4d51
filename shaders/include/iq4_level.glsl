// The sixteen levels of IQ4_NL and IQ4_XS as signed bytes, four to a word: a select and a shift instead of a table, which
// would be memory.
#ifndef VKINFER_IQ4_LEVEL
#define VKINFER_IQ4_LEVEL

uint iq4_level(uint nibble) {
    const uint lo = (nibble & 4u) != 0 ? 0xf6eaddcfu : 0xbfad9881u; // -49 -35 -22 -10 : -127 -104 -83 -65
    const uint hi = (nibble & 4u) != 0 ? 0x71594535u : 0x26190d01u; // 53 69 89 113 : 1 13 25 38
    return (((nibble & 8u) != 0 ? hi : lo) >> (8u * (nibble & 3u))) & 255u;
}
#endif
