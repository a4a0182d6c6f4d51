#!/usr/bin/env python3
"""Writes unicode_tables.inc: character classes, canonical decomposition and lower case, as compact C++ tables.

Classes and scripts are asked of PCRE2 (libpcre2-32), which follows Unicode closer than Python does; decompositions,
combining classes and lower case come from Python's unicodedata. Run it by hand when either gets a newer Unicode:
    engine/text/unicode_tables.py > engine/text/unicode_tables.inc
"""
import ctypes
import ctypes.util
import sys
import unicodedata

LIMIT = 0x110000
CODE_POINTS = [c for c in range(LIMIT) if not 0xD800 <= c < 0xE000]
# The property White_Space; \s of PCRE2 has U+180E in addition.
WHITE_SPACE = r"[\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]"
# One bit each, in the order of CharClass in unicode.h.
CLASSES = [r"\p{L}", r"[\p{Lu}\p{Lt}]", r"\p{Ll}", r"\p{M}", r"\p{N}", r"\p{P}", r"\p{S}", WHITE_SPACE, r"\p{Han}",
           r"[\p{Cc}\p{Cf}\p{Co}\p{Cs}]"]


def pcre2():
    lib = ctypes.CDLL(ctypes.util.find_library("pcre2-32") or "libpcre2-32.so.0")
    lib.pcre2_compile_32.restype = ctypes.c_void_p
    lib.pcre2_compile_32.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32, ctypes.c_void_p,
                                     ctypes.c_void_p, ctypes.c_void_p]
    lib.pcre2_match_data_create_from_pattern_32.restype = ctypes.c_void_p
    lib.pcre2_match_data_create_from_pattern_32.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    lib.pcre2_match_32.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t,
                                   ctypes.c_uint32, ctypes.c_void_p, ctypes.c_void_p]
    lib.pcre2_get_ovector_pointer_32.restype = ctypes.POINTER(ctypes.c_size_t)
    lib.pcre2_get_ovector_pointer_32.argtypes = [ctypes.c_void_p]
    return lib


def members(lib, pattern):
    """The set of code points that one class matches."""
    text = (ctypes.c_uint32 * len(pattern))(*map(ord, pattern))
    error, where = ctypes.c_int(), ctypes.c_size_t()
    utf, ucp, no_check = 0x00080000, 0x00020000, 0x40000000
    code = lib.pcre2_compile_32(text, len(pattern), utf | ucp | no_check, ctypes.byref(error), ctypes.byref(where),
                                None)
    assert code, (pattern, error.value)
    data = lib.pcre2_match_data_create_from_pattern_32(code, None)
    found = set()
    subject = (ctypes.c_uint32 * 1)()
    for c in CODE_POINTS:
        subject[0] = c
        if lib.pcre2_match_32(code, subject, 1, 0, no_check, data, None) > 0:
            found.add(c)
    return found


def write(name, kind, rows, per_line):
    print(f"inline constexpr {kind} {name}[] = {{")
    for i in range(0, len(rows), per_line):
        print("    " + " ".join(rows[i:i + per_line]))
    print("};\n")


def main():
    lib = pcre2()
    flags = [0] * LIMIT
    for bit, pattern in enumerate(CLASSES):
        for c in members(lib, pattern):
            flags[c] |= 1 << bit
    version = (ctypes.c_uint32 * 64)()
    n = lib.pcre2_config_32(10, version)  # PCRE2_CONFIG_UNICODE_VERSION
    pcre_unicode = "".join(map(chr, version[:max(n - 1, 0)]))
    print(f"// Written by unicode_tables.py: classes of Unicode {pcre_unicode}, decompositions of Unicode"
          f" {unicodedata.unidata_version}. Do not edit.")
    print("// clang-format off\n")
    runs = [f"{{0x{c:X}, 0x{flags[c]:X}}}," for c in range(LIMIT) if c == 0 or flags[c] != flags[c - 1]]
    write("kClassRuns", "ClassRun", runs, 8)

    single, pairs, classes, lower = [], [], [], []
    composable = set()
    for c in CODE_POINTS:
        d = unicodedata.decomposition(chr(c))
        if d and not d.startswith("<"):
            parts = [int(x, 16) for x in d.split()]
            if len(parts) == 1:
                single.append(f"{{0x{c:X}, 0x{parts[0]:X}, 0}},")
            else:
                single.append(f"{{0x{c:X}, 0x{parts[0]:X}, 0x{parts[1]:X}}},")
                if unicodedata.normalize("NFC", chr(c)) == chr(c):
                    composable.add(c)
                    pairs.append((parts[0], parts[1], c))
        if unicodedata.combining(chr(c)):
            classes.append(f"{{0x{c:X}, {unicodedata.combining(chr(c))}}},")
        low = chr(c).lower()
        if len(low) == 1 and low != chr(c):
            lower.append(f"{{0x{c:X}, 0x{ord(low):X}}},")
    write("kDecompositions", "Decomposition", single, 6)
    write("kCompositions", "Decomposition", [f"{{0x{c:X}, 0x{a:X}, 0x{b:X}}}," for a, b, c in sorted(pairs)], 6)
    write("kCombiningClasses", "CombiningClass", classes, 10)
    write("kLowerCase", "LowerCase", lower, 8)
    return 0


if __name__ == "__main__":
    sys.exit(main())
