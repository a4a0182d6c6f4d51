#!/usr/bin/env python3
"""Writes unicode_tables.inc: what the template renderer needs to know of Unicode, from Python's own unicodedata.

Run it by hand when a newer Unicode version matters: python3 make_unicode_tables.py > unicode_tables.inc
"""
import sys
import unicodedata

SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def simple_runs(mapping):
    """Runs {first, last, stride, delta} of characters that map by the same delta."""
    runs = []
    for c in sorted(mapping):
        delta = mapping[c] - c
        if runs:
            first, last, stride, d = runs[-1]
            step = c - last
            if d == delta and step in (1, 2) and stride in (0, step):
                runs[-1] = (first, c, step, d)
                continue
        runs.append((c, c, 0, delta))
    return [(a, b, s or 1, d) for a, b, s, d in runs]


def ranges(predicate):
    out = []
    for c in range(0x110000):
        if predicate(c):
            if out and out[-1][1] == c - 1:
                out[-1][1] = c
            else:
                out.append([c, c])
    return out


def emit(kind, name, rows):
    print(f"constexpr {kind} {name}[] = {{")
    line = "   "
    for row in rows:
        text = " {" + ", ".join(row) + "},"
        if len(line) + len(text) > 118:
            print(line)
            line = "   "
        line += text
    print(line)
    print("};\n")


def case_tables(name, convert):
    simple, special = {}, []
    for c in SCALARS:
        to = convert(chr(c))
        if to == chr(c):
            continue
        if len(to) == 1:
            simple[c] = ord(to)
        else:
            special.append((c, to))
    emit("CaseRun", f"k{name}Runs", [(hex(a), hex(b), str(s), str(d)) for a, b, s, d in simple_runs(simple)])
    emit("SpecialCase", f"k{name}Special",
         [(hex(c), "{" + ", ".join(hex(ord(x)) for x in to) + "}") for c, to in special])


print(f"// Unicode {unicodedata.unidata_version}; written by make_unicode_tables.py. Do not edit.\n")
case_tables("Upper", str.upper)
case_tables("Lower", str.lower)
case_tables("Title", str.title)
emit("CharRange", "kUnprintable", [(hex(a), hex(b)) for a, b in
                                   ranges(lambda c: not chr(c).isprintable())])
emit("CharRange", "kAlphabetic", [(hex(a), hex(b)) for a, b in ranges(lambda c: chr(c).isalpha())])
emit("CharRange", "kDecimal", [(hex(a), hex(b)) for a, b in ranges(lambda c: chr(c).isdecimal())])
sys.stdout.flush()
